//! The names under which tools are offered.
//!
//! Clients and models accept different alphabets and lengths; what all of them take is
//! `[a-z0-9_]`, beginning with a letter, and not too long. Two functions that would get one name both
//! get a suffix made from what they are, so that no plugin can take the name of another's tool.

use std::collections::HashMap;
use std::fmt::Write as _;

use sha2::{Digest as _, Sha256};

/// The most characters of a name: clients put their own prefix before it (`mcp__ringfence__`), and some
/// stop at 63.
pub const MAX_NAME: usize = 47;
/// Characters of the hash that tells two names apart.
const SUFFIX: usize = 8;

/// Returns the name of each tool, given as the name of its plugin and of its function.
pub fn tool_names(tools: &[(&str, &str)]) -> Vec<String> {
    let plain: Vec<String> = tools.iter().map(|(plugin, tool)| plain(plugin, tool)).collect();
    let mut uses: HashMap<&str, usize> = HashMap::new();
    for name in &plain {
        *uses.entry(name).or_default() += 1;
    }
    let taken = |name: &str| uses.get(name).is_some_and(|uses| *uses > 1);
    let named = plain.iter().zip(tools).map(|(name, tool)| {
        if name.len() > MAX_NAME || taken(name) { with_suffix(name, tool) } else { name.clone() }
    });
    named.collect()
}

/// Returns `plugin_tool` in the alphabet every client takes.
fn plain(plugin: &str, tool: &str) -> String {
    let mut name = String::with_capacity(plugin.len() + tool.len() + 3);
    if !plugin.starts_with(|first: char| first.is_ascii_alphabetic()) {
        name.push_str("t_");
    }
    for c in plugin.chars().chain(['_']).chain(tool.chars()) {
        name.push(if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' });
    }
    name
}

fn with_suffix(name: &str, (plugin, tool): &(&str, &str)) -> String {
    let hash = Sha256::digest(format!("{plugin}\0{tool}"));
    let mut suffixed: String = name.chars().take(MAX_NAME - SUFFIX - 1).collect();
    suffixed.push('_');
    for byte in hash.iter().take(SUFFIX / 2) {
        let _ = write!(suffixed, "{byte:02x}");
    }
    suffixed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(tools: &[(&str, &str)], expected: &[&str]) {
        assert_eq!(tool_names(tools), expected);
    }

    #[test]
    fn a_name_is_plugin_and_tool_in_the_alphabet_every_client_takes() {
        names(&[("calc", "add")], &["calc_add"]);
        names(&[("json-query", "query"), ("a", "b.c")], &["json_query_query", "a_b_c"]);
        names(&[("7zip", "list")], &["t_7zip_list"]);
    }

    #[test]
    fn no_plugin_takes_the_name_of_anothers_tool() {
        let both = tool_names(&[("a-b", "c"), ("a", "b-c"), ("a", "d")]);
        assert_eq!(both, ["a_b_c_695274f6", "a_b_c_02654a5c", "a_d"]);
    }

    #[test]
    fn a_long_name_is_cut_and_stays_apart() {
        let (plugin, one, two) = ("p".repeat(60), "tool-one", "tool-two");
        let long = tool_names(&[(&plugin, one), (&plugin, two)]);
        assert!(long.iter().all(|name| name.len() == MAX_NAME), "{long:?}");
        assert_ne!(long[0], long[1]);
    }
}
