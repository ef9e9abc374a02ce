//! What is to be summarised: given as text, or in files that the task names.

use std::path::Path;

use serde_json::Value;

/// The longest text that is read, in bytes.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// One text.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Source {
    /// What citations call it.
    pub(crate) name: String,
    /// It.
    pub(crate) text: String,
}

/// Returns the texts of a task: `text`, `outcomes`, `path` or `paths` of the input, or else the files
/// below `root` that the goal names.
pub(crate) fn read(goal: &str, input: &Value, root: &str) -> Result<Vec<Source>, String> {
    if let Some(text) = input.get("text").and_then(Value::as_str) {
        return Ok(vec![Source { name: "text".to_owned(), text: text.to_owned() }]);
    }
    if let Some(outcomes) = input.get("outcomes").and_then(Value::as_array) {
        let text = |one: &Value, key: &str| one.get(key)?.as_str().map(str::to_owned);
        let source =
            |one: &Value| Some(Source { name: text(one, "label")?, text: text(one, "text")? });
        return Ok(outcomes.iter().filter_map(source).collect());
    }
    let listed = input.get("paths").and_then(Value::as_array).into_iter().flatten();
    let named: Vec<&str> = listed.chain(input.get("path")).filter_map(Value::as_str).collect();
    if !named.is_empty() {
        return named.into_iter().map(|path| file(root, path)).collect();
    }
    let words = goal.split_whitespace();
    let words = words.map(|word| word.trim_matches(|c: char| "\"'`,;:()".contains(c)));
    let files = words.filter(|word| word.contains('.') || word.contains('/'));
    let found: Vec<Source> = files.filter_map(|word| file(root, word).ok()).collect();
    if found.is_empty() {
        return Err(
            "it names no text: give a file of the workspace in the goal, or `text`, `path` \
                    or `paths` in the input"
                .to_owned(),
        );
    }
    Ok(found)
}

fn file(root: &str, path: &str) -> Result<Source, String> {
    let whole = Path::new(root).join(path.trim_start_matches('/'));
    let fail = |error: std::io::Error| format!("`{path}`: {error}");
    let size = std::fs::metadata(&whole).map_err(fail)?.len();
    if size > MAX_BYTES {
        return Err(format!("`{path}` is larger than {MAX_BYTES} bytes"));
    }
    let text = std::fs::read_to_string(&whole).map_err(fail)?;
    Ok(Source { name: path.to_owned(), text })
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]

    use super::*;
    use serde_json::json;

    #[test]
    fn texts_come_from_the_input_or_from_files_the_goal_names() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join("a.md"), "One.").unwrap();
        let root = dir.path().to_str().unwrap();
        let names = |goal: &str, input: Value| {
            read(goal, &input, root)
                .map(|all| all.into_iter().map(|one| one.name).collect::<Vec<_>>())
        };
        assert_eq!(names("x", json!({ "text": "y" })).unwrap(), ["text"]);
        assert_eq!(names("summarise `a.md`, please", Value::Null).unwrap(), ["a.md"]);
        assert_eq!(names("x", json!({ "path": "a.md" })).unwrap(), ["a.md"]);
        assert!(names("x", json!({ "path": "gone.md" })).unwrap_err().contains("`gone.md`"));
        assert!(names("the weather", Value::Null).unwrap_err().contains("names no text"));
    }
}
