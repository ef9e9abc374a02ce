//! One table of a TOML file, put in without touching a byte of the rest.

use toml::{Table, Value};

/// The table of tables that holds the servers of Codex.
const KEY: &str = "mcp_servers";

/// Returns `text` with the server `name` in it.
///
/// # Errors
/// Why the file is left alone.
pub(super) fn with_entry(
    text: &str,
    name: &str,
    command: &str,
    args: &[String],
) -> Result<String, String> {
    let old: Table = toml::from_str(text)
        .map_err(|error| format!("it is no TOML ({})", error.message().trim()))?;
    let mut entry = Table::new();
    entry.insert("command".to_owned(), Value::from(command));
    entry.insert("args".to_owned(), Value::from(args.to_vec()));
    let there = old.get(KEY).and_then(|all| all.get(name));
    if there == Some(&Value::Table(entry.clone())) {
        return Ok(text.to_owned());
    }
    let header = format!("[{KEY}.{name}]");
    let block = format!(
        "{header}\ncommand = {}\nargs = {}\n",
        Value::from(command),
        Value::from(args.to_vec())
    );
    let done = match there {
        None if text.trim().is_empty() => block,
        None => format!("{}\n\n{block}", text.trim_end()),
        Some(_) => replaced(text, name, &block)
            .ok_or_else(|| format!("`{KEY}.{name}` is not written as a table `{header}`"))?,
    };
    let mut wanted = old;
    let all = wanted.entry(KEY.to_owned()).or_insert_with(|| Value::Table(Table::new()));
    let all = all.as_table_mut().ok_or_else(|| format!("`{KEY}` in it is no table"))?;
    all.insert(name.to_owned(), Value::Table(entry));
    // What was meant is what a reader of the file finds, and nothing else changed.
    match toml::from_str::<Table>(&done) {
        Ok(found) if found == wanted => Ok(done),
        _ => Err("the entry cannot be put in without changing something else".to_owned()),
    }
}

/// Returns the table of the server `name` and nothing else; empty when there is none.
pub(super) fn alone(text: &str, name: &str) -> String {
    let all: Table = toml::from_str(text).unwrap_or_default();
    let Some(entry) = all.get(KEY).and_then(|all| all.get(name)).cloned() else {
        return String::new();
    };
    let servers = Table::from_iter([(name.to_owned(), entry)]);
    let shown = Table::from_iter([(KEY.to_owned(), Value::Table(servers))]);
    toml::to_string(&shown).unwrap_or_default()
}

/// Puts `block` in the place of the table of `name` and the tables in it.
fn replaced(text: &str, name: &str, block: &str) -> Option<String> {
    let (own, inner) = (format!("[{KEY}.{name}]"), format!("[{KEY}.{name}."));
    let (mut done, mut inside, mut found) = (String::new(), false, false);
    for line in text.split_inclusive('\n') {
        let trimmed = line.trim();
        if trimmed.starts_with('[') {
            inside = trimmed.starts_with(&own) || trimmed.starts_with(&inner);
            if trimmed.starts_with(&own) && !found {
                found = true;
                done.push_str(block);
            }
        } else if inside && (trimmed.is_empty() || trimmed.starts_with('#')) {
            done.push_str(line);
        }
        if !inside {
            done.push_str(line);
        }
    }
    found.then_some(done)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn put(text: &str) -> Result<String, String> {
        with_entry(text, "n", "/r", &["a".to_owned()])
    }

    #[test]
    fn only_the_table_changes_wherever_it_is() {
        let block = "[mcp_servers.n]\ncommand = \"/r\"\nargs = [\"a\"]\n";
        for (text, expected) in [
            (String::new(), block.to_owned()),
            ("# mine\nmodel = 'x'\n".to_owned(), format!("# mine\nmodel = 'x'\n\n{block}")),
            (
                "[mcp_servers.n]\ncommand = 'old'\n[mcp_servers.n.env]\nA = '1'\n[z]\na = 1 # one\n"
                    .to_owned(),
                format!("{block}[z]\na = 1 # one\n"),
            ),
            (block.to_owned(), block.to_owned()),
        ] {
            let done = put(&text).unwrap();
            assert_eq!(done, expected, "{text}");
            assert_eq!(put(&done).unwrap(), done);
        }
    }

    #[test]
    fn what_cannot_be_changed_alone_is_left_alone() {
        for text in ["a =", "mcp_servers = 1", "mcp_servers = { n = { command = 'x' } }"] {
            assert!(put(text).is_err(), "{text}");
        }
        assert!(put("mcp_servers.n.command = 'x'").is_err());
        // A line that only looks like a table, inside a text of several lines.
        let tricky = "a = '''\n[mcp_servers.n]\n'''\n[mcp_servers.n]\ncommand = 'x'\n";
        assert!(put(tricky).is_err());
    }
}
