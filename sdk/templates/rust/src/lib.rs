//! Counts the words of a file.

use ringfence_sdk::ToolError;

ringfence_sdk::plugin!("example:word-count/word-count" for WordCount);

struct WordCount;

impl Guest for WordCount {
    fn count(path: String) -> Result<u64, ToolError> {
        let text = std::fs::read_to_string(&path).map_err(|error| ToolError::io(&path, &error))?;
        Ok(text.split_whitespace().count() as u64)
    }
}

#[cfg(test)]
mod tests;
