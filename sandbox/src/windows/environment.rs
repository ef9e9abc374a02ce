//! The environment block of `CreateProcessW`: `NAME=VALUE`, each ended by a zero, sorted, and one
//! zero more.
//!
//! Plain computation over UTF-16 units, tested on every system.

/// Largest block this room builds, in UTF-16 units; the historical limit of a Windows environment.
pub(super) const MAX_BLOCK_UNITS: usize = 32_767;

const EQUALS: u16 = b'=' as u16;

/// A name and its value, in UTF-16 units.
pub(super) type WidePair = (Vec<u16>, Vec<u16>);

/// Why an environment cannot be handed over as it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EnvironmentError {
    /// A name is empty, or holds `=` or a zero.
    Name {
        /// Place in the list, from 0.
        position: usize,
    },
    /// A value holds a zero, behind which it could smuggle another variable.
    Value {
        /// Place in the list, from 0.
        position: usize,
    },
    /// Two names are the same to Windows, so which one counts is left to chance.
    Twice {
        /// Place of the second one in the list, from 0.
        position: usize,
    },
    /// The block is larger than Windows takes.
    TooLong {
        /// Its length.
        units: usize,
    },
}

impl EnvironmentError {
    /// Returns what is wrong, as the error of the start says it.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Name { .. } => "the name of a variable is empty or holds `=` or a zero character",
            Self::Value { .. } => "the value of a variable holds a zero character",
            Self::Twice { .. } => "a variable is given twice, in the same or another case",
            Self::TooLong { .. } => "the environment is larger than Windows takes",
        }
    }
}

/// Returns the block for exactly these variables.
///
/// # Errors
/// Refuses a variable that would be read back as another one, and one that is given twice.
pub(super) fn environment_block(variables: &[WidePair]) -> Result<Vec<u16>, EnvironmentError> {
    let mut sorted: Vec<(Vec<u16>, usize)> = Vec::with_capacity(variables.len());
    for (position, (name, value)) in variables.iter().enumerate() {
        if name.is_empty() || name.contains(&EQUALS) || name.contains(&0) {
            return Err(EnvironmentError::Name { position });
        }
        if value.contains(&0) {
            return Err(EnvironmentError::Value { position });
        }
        sorted.push((folded(name), position));
    }
    sorted.sort();
    if let Some(pair) = sorted.windows(2).find(|pair| pair[0].0 == pair[1].0) {
        return Err(EnvironmentError::Twice { position: pair[1].1 });
    }
    let mut block = Vec::new();
    for (_, position) in sorted {
        let (name, value) = &variables[position];
        block.extend_from_slice(name);
        block.push(EQUALS);
        block.extend_from_slice(value);
        block.push(0);
    }
    if block.is_empty() {
        // An empty block still is two zeros.
        block.push(0);
    }
    block.push(0);
    if block.len() > MAX_BLOCK_UNITS {
        return Err(EnvironmentError::TooLong { units: block.len() });
    }
    Ok(block)
}

/// Returns the variables with those Windows libraries cannot start without, unless they are given:
/// `SystemRoot` and `windir`, which name a directory that every program can find anyway.
pub(super) fn with_system(
    mut variables: Vec<WidePair>,
    windows_directory: &[u16],
) -> Vec<WidePair> {
    for name in ["SystemRoot", "windir"] {
        let name: Vec<u16> = name.encode_utf16().collect();
        if !variables.iter().any(|(given, _)| folded(given) == folded(&name)) {
            variables.push((name, windows_directory.to_vec()));
        }
    }
    variables
}

/// Returns a name as Windows compares it. Letters beyond the basic plane have no case there.
fn folded(name: &[u16]) -> Vec<u16> {
    let upper = |unit: &u16| {
        let character = char::from_u32(u32::from(*unit));
        let mut upper = character.map(char::to_uppercase)?;
        // One letter that becomes two, such as `ß`, stays itself.
        let single = upper.next().filter(|_| upper.next().is_none())?;
        u16::try_from(u32::from(single)).ok()
    };
    name.iter().map(|unit| upper(unit).unwrap_or(*unit)).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn pairs(texts: &[(&str, &str)]) -> Vec<WidePair> {
        let wide = |text: &str| text.encode_utf16().collect();
        texts.iter().map(|(name, value)| (wide(name), wide(value))).collect()
    }

    fn check(variables: &[(&str, &str)], expected: Result<&str, EnvironmentError>) {
        let found = environment_block(&pairs(variables));
        let found = found.map(|block| String::from_utf16(&block).unwrap());
        assert_eq!(found, expected.map(str::to_owned));
    }

    #[test]
    fn variables_are_sorted_without_regard_to_case_and_closed_by_a_zero_more() {
        check(&[], Ok("\0\0"));
        check(&[("b", "2"), ("A", "1"), ("C", "")], Ok("A=1\0b=2\0C=\0\0"));
        check(&[("PATH", "a=b;c")], Ok("PATH=a=b;c\0\0"));
    }

    #[test]
    fn a_variable_that_would_become_another_is_refused() {
        check(&[("A", "1"), ("", "x")], Err(EnvironmentError::Name { position: 1 }));
        check(&[("=C:", "x")], Err(EnvironmentError::Name { position: 0 }));
        check(&[("A=B", "x")], Err(EnvironmentError::Name { position: 0 }));
        check(&[("A\0B", "x")], Err(EnvironmentError::Name { position: 0 }));
        check(&[("A", "1\0EVIL=1")], Err(EnvironmentError::Value { position: 0 }));
    }

    #[test]
    fn a_name_given_twice_in_any_case_is_refused() {
        for second in ["Path", "PATH", "path"] {
            check(&[("Path", "1"), (second, "2")], Err(EnvironmentError::Twice { position: 1 }));
        }
        check(&[("é", "1"), ("É", "2")], Err(EnvironmentError::Twice { position: 1 }));
        check(&[("ß", "1"), ("SS", "2")], Ok("SS=2\0ß=1\0\0"));
    }

    #[test]
    fn a_block_that_would_be_cut_off_is_refused() {
        let long = "x".repeat(MAX_BLOCK_UNITS - 4);
        check(&[("A", &long)], Ok(&format!("A={long}\0\0")));
        let longer = format!("{long}x");
        let units = MAX_BLOCK_UNITS + 1;
        check(&[("A", &longer)], Err(EnvironmentError::TooLong { units }));
    }

    #[test]
    fn the_system_directory_is_added_once_and_never_replaces_a_given_one() {
        let windows: Vec<u16> = "C:\\W".encode_utf16().collect();
        let found = with_system(pairs(&[("SYSTEMROOT", "given")]), &windows);
        assert_eq!(found, pairs(&[("SYSTEMROOT", "given"), ("windir", "C:\\W")]));
    }
}
