//! The one string in which Windows hands over all arguments, and the interpreters that read it
//! differently.
//!
//! A program sees its arguments through `CommandLineToArgvW` or the C runtime, which agree on the
//! quoting below. A batch file does not: `CreateProcess` gives it to `cmd.exe`, which reads `%`,
//! `^`, `&` and quotes by rules of its own that no quoting holds against (CVE-2024-24576). So a
//! batch file only gets arguments made of characters that mean nothing to `cmd.exe`.
//!
//! Everything here is plain computation over UTF-16 units and is tested on every system.

/// Longest command line `CreateProcessW` takes, in UTF-16 units, without the closing zero.
pub(super) const MAX_COMMAND_LINE_UNITS: usize = 32_766;

/// Characters besides letters and digits that `cmd.exe` gives no meaning to.
const PLAIN_FOR_SHELL: &str = "-_./:\\+@";

/// Characters besides letters and digits for which an argument needs no quotes.
const PLAIN_IN_ARGUMENT: &str = "-_./:\\+@=,";

/// Characters of a batch file's own path that stay plain between quotes.
const PLAIN_IN_PATH: &str = "-_./:\\+@ ()";

const QUOTE: u16 = b'"' as u16;
const BACKSLASH: u16 = b'\\' as u16;
const SPACE: u16 = b' ' as u16;

/// Why arguments cannot be handed to a program without changing what they mean.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum CommandLineError {
    /// There is not even the program's own name.
    Empty,
    /// A zero ends the whole command line.
    Zero {
        /// Place in the argument list, from 0.
        position: usize,
    },
    /// The first argument is read by simpler rules, without escapes.
    QuoteInName,
    /// The name of a batch file holds a character `cmd.exe` would act on.
    BatchName,
    /// An argument of a batch file holds a character `cmd.exe` would act on, or is empty.
    BatchArgument {
        /// Place in the argument list, from 0.
        position: usize,
    },
    /// The result would be cut off.
    TooLong {
        /// Its length.
        units: usize,
    },
}

impl CommandLineError {
    /// Returns what is wrong, as the error of the start says it.
    pub(super) const fn reason(self) -> &'static str {
        match self {
            Self::Empty => "there is no argument list",
            Self::Zero { .. } => "an argument holds a zero character",
            Self::QuoteInName => "the program's own name holds a quote",
            Self::BatchName => "the path of the batch file has a character `cmd.exe` acts on",
            Self::BatchArgument { .. } => {
                "a batch file only gets arguments of letters, digits and `-_./:\\+@`, none empty: \
                 `cmd.exe` acts on other characters"
            }
            Self::TooLong { .. } => "the command line is longer than Windows takes",
        }
    }
}

/// Returns the command line that `CommandLineToArgvW` and the C runtime read back as `argv`.
///
/// # Errors
/// Refuses what cannot be read back exactly: zeros, a quote in the first argument, and more than
/// [`MAX_COMMAND_LINE_UNITS`].
pub(super) fn command_line(argv: &[Vec<u16>]) -> Result<Vec<u16>, CommandLineError> {
    let (name, arguments) = argv.split_first().ok_or(CommandLineError::Empty)?;
    if let Some(position) = argv.iter().position(|argument| argument.contains(&0)) {
        return Err(CommandLineError::Zero { position });
    }
    if name.contains(&QUOTE) {
        return Err(CommandLineError::QuoteInName);
    }
    let mut line = between_quotes(name);
    for argument in arguments {
        line.push(SPACE);
        append_quoted(argument, &mut line);
    }
    within_length(line)
}

/// Returns the command line of `cmd.exe` that runs a batch file: no delayed expansion, no
/// registry autorun, extensions on.
///
/// # Errors
/// Refuses any argument that is empty or is not made of letters, digits and `-_./:\+@` alone, and a
/// path with a character that acts even between quotes.
pub(super) fn batch_command_line(
    shell: &[u16],
    script: &[u16],
    arguments: &[Vec<u16>],
) -> Result<Vec<u16>, CommandLineError> {
    if shell.contains(&QUOTE) || shell.contains(&0) {
        return Err(CommandLineError::QuoteInName);
    }
    if script.is_empty() || !script.iter().all(|unit| is_plain(*unit, PLAIN_IN_PATH)) {
        return Err(CommandLineError::BatchName);
    }
    let mut line = between_quotes(shell);
    // `/c` strips the first and the last quote when there are more than two: one pair more.
    line.extend(" /e:ON /v:OFF /d /c \"".encode_utf16());
    line.extend(between_quotes(script));
    for (index, argument) in arguments.iter().enumerate() {
        let plain = argument.iter().all(|unit| is_plain(*unit, PLAIN_FOR_SHELL));
        if argument.is_empty() || !plain {
            return Err(CommandLineError::BatchArgument { position: index + 1 });
        }
        line.push(SPACE);
        line.extend_from_slice(argument);
    }
    line.push(QUOTE);
    within_length(line)
}

/// Returns whether `CreateProcess` would give this path to `cmd.exe`.
///
/// Judged as Windows opens it: case does not matter, trailing dots and spaces fall off, and what
/// follows a second colon names a stream of the same file.
pub(super) fn is_batch_file(path: &[u16]) -> bool {
    let text = String::from_utf16_lossy(path).to_ascii_lowercase();
    let name = text.rsplit(['\\', '/']).next().unwrap_or_default();
    // A drive letter is its own `name` only in a path without a directory, such as `c:x.bat`.
    let name = match name.split_once(':') {
        Some((drive, rest)) if drive.len() == 1 => rest,
        _ => name,
    };
    let file = name.split(':').next().unwrap_or_default().trim_end_matches(['.', ' ']);
    let extension = file.rsplit_once('.').map(|(_, extension)| extension.trim_end());
    matches!(extension, Some("bat" | "cmd"))
}

fn within_length(line: Vec<u16>) -> Result<Vec<u16>, CommandLineError> {
    if line.len() > MAX_COMMAND_LINE_UNITS {
        return Err(CommandLineError::TooLong { units: line.len() });
    }
    Ok(line)
}

fn between_quotes(text: &[u16]) -> Vec<u16> {
    [&[QUOTE], text, &[QUOTE]].concat()
}

/// Appends one argument: between quotes unless nothing in it asks for them, backslashes doubled
/// where a quote follows. Some programs do not know a switch between quotes.
fn append_quoted(argument: &[u16], line: &mut Vec<u16>) {
    if !argument.is_empty() && argument.iter().all(|unit| is_plain(*unit, PLAIN_IN_ARGUMENT)) {
        line.extend_from_slice(argument);
        return;
    }
    line.push(QUOTE);
    let mut backslashes = 0;
    for unit in argument {
        if *unit == QUOTE {
            // Those before a quote are halved on reading; one more keeps the quote itself.
            line.extend(std::iter::repeat_n(BACKSLASH, backslashes + 1));
        }
        backslashes = if *unit == BACKSLASH { backslashes + 1 } else { 0 };
        line.push(*unit);
    }
    line.extend(std::iter::repeat_n(BACKSLASH, backslashes));
    line.push(QUOTE);
}

fn is_plain(unit: u16, also: &str) -> bool {
    u8::try_from(unit)
        .is_ok_and(|byte| byte.is_ascii_alphanumeric() || also.as_bytes().contains(&byte))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    fn wide(text: &str) -> Vec<u16> {
        text.encode_utf16().collect()
    }

    fn all_wide(texts: &[&str]) -> Vec<Vec<u16>> {
        texts.iter().map(|text| wide(text)).collect()
    }

    /// Reads a command line by the documented rules of `CommandLineToArgvW`, as the program would.
    fn read_back(line: &[u16]) -> Vec<Vec<u16>> {
        let end = 1 + line[1..].iter().position(|unit| *unit == QUOTE).unwrap();
        let mut argv = vec![line[1..end].to_vec()];
        let mut units = line[end + 1..].iter().copied().peekable();
        loop {
            while units.next_if(|unit| *unit == SPACE || *unit == 9).is_some() {}
            if units.peek().is_none() {
                return argv;
            }
            let mut argument = Vec::new();
            let mut quoted = false;
            while let Some(unit) = units.next_if(|unit| quoted || (*unit != SPACE && *unit != 9)) {
                if unit == BACKSLASH {
                    let mut count = 1;
                    while units.next_if_eq(&BACKSLASH).is_some() {
                        count += 1;
                    }
                    let before_quote = units.peek() == Some(&QUOTE);
                    let kept = if before_quote { count / 2 } else { count };
                    argument.extend(std::iter::repeat_n(BACKSLASH, kept));
                    if before_quote && count % 2 == 1 {
                        argument.extend(units.next());
                    }
                } else if unit == QUOTE {
                    // Two quotes inside quotes are one, and stay inside.
                    if quoted && units.next_if_eq(&QUOTE).is_some() {
                        argument.push(QUOTE);
                    } else {
                        quoted = !quoted;
                    }
                } else {
                    argument.push(unit);
                }
            }
            argv.push(argument);
        }
    }

    #[test]
    fn arguments_are_quoted_as_the_runtime_reads_them() {
        let cases: [(&[&str], &str); 8] = [
            (&["C:\\a b\\c.exe"], r#""C:\a b\c.exe""#),
            (&["p", "/c", "--level=a,b\\"], r#""p" /c --level=a,b\"#),
            (&["p", ""], r#""p" """#),
            (&["p", "two words"], r#""p" "two words""#),
            (&["p", "say \"hi\""], r#""p" "say \"hi\"""#),
            (&["p", "ends in \\"], r#""p" "ends in \\""#),
            (&["p", "a\\\\b", "\\\""], r#""p" a\\b "\\\"""#),
            (&["p\\", "x|y"], r#""p\" "x|y""#),
        ];
        for (argv, expected) in cases {
            let line = command_line(&all_wide(argv)).unwrap();
            assert_eq!(String::from_utf16(&line).unwrap(), expected);
        }
    }

    #[test]
    fn every_short_argument_of_special_characters_reads_back_as_itself() {
        let alphabet: Vec<u16> = "a \\\"\t%".encode_utf16().collect();
        let mut texts: Vec<Vec<u16>> = vec![Vec::new()];
        let mut layer = texts.clone();
        for _ in 0..5 {
            let longer = layer.iter().flat_map(|text| {
                alphabet.iter().map(move |unit| [text.as_slice(), &[*unit]].concat())
            });
            layer = longer.collect();
            texts.extend(layer.iter().cloned());
        }
        for text in texts {
            // What follows shows that the argument did not swallow or split its neighbour.
            let argv = vec![wide("p"), text, wide("end")];
            assert_eq!(read_back(&command_line(&argv).unwrap()), argv);
        }
    }

    #[test]
    fn units_that_are_not_text_survive() {
        let argv = vec![wide("p"), vec![0xd800, QUOTE, 0xdc00]];
        assert_eq!(read_back(&command_line(&argv).unwrap()), argv);
    }

    #[test]
    fn what_cannot_be_read_back_is_refused_with_its_place() {
        let cases: [(Vec<Vec<u16>>, CommandLineError); 5] = [
            (vec![], CommandLineError::Empty),
            (all_wide(&["p", "a\0b"]), CommandLineError::Zero { position: 1 }),
            (all_wide(&["p\0"]), CommandLineError::Zero { position: 0 }),
            (all_wide(&["p\" --evil"]), CommandLineError::QuoteInName),
            (
                vec![wide("p"), vec![SPACE; MAX_COMMAND_LINE_UNITS]],
                CommandLineError::TooLong { units: MAX_COMMAND_LINE_UNITS + 6 },
            ),
        ];
        for (argv, expected) in cases {
            assert_eq!(command_line(&argv).unwrap_err(), expected);
        }
    }

    #[test]
    fn batch_files_are_recognised_under_every_spelling_windows_opens() {
        for path in [
            r"C:\x\a.bat",
            "a.CMD",
            "a.BaT.",
            "a.cmd . .",
            "a.bat::$DATA",
            r"\\?\C:\x\a.cmd",
            "c:a.bat",
            "x/y.bat ",
            "a.exe.cmd",
            "a.bat:stream",
        ] {
            assert!(is_batch_file(&wide(path)), "{path}");
        }
        for path in ["a.exe", "bat", r"C:\dir.bat\a.exe", "a.batch", "a.cmdx", "", "a.bat.exe"] {
            assert!(!is_batch_file(&wide(path)), "{path}");
        }
    }

    #[test]
    fn a_batch_file_gets_plain_arguments_only() {
        let shell = wide(r"C:\Windows\System32\cmd.exe");
        let script = wide(r"C:\my tools\run (1).bat");
        let line = batch_command_line(&shell, &script, &all_wide(&["--level=x", "a"]));
        assert_eq!(line, Err(CommandLineError::BatchArgument { position: 1 }), "`=` separates");
        let line = batch_command_line(&shell, &script, &all_wide(&["--all", "src/a_b.c"]));
        let expected = r#""C:\Windows\System32\cmd.exe" /e:ON /v:OFF /d /c ""C:\my tools\run (1).bat" --all src/a_b.c""#;
        assert_eq!(String::from_utf16(&line.unwrap()).unwrap(), expected);
    }

    #[test]
    fn every_character_that_cmd_acts_on_is_refused_in_a_batch_argument() {
        let script = wide("a.bat");
        for character in "\"%&|<>^!()=,; '`~*?[]{}$#\n\r\t\0\u{1a}é".chars() {
            let argument = format!("a{character}calc");
            let found = batch_command_line(&wide("cmd"), &script, &[wide(&argument)]);
            let expected = Err(CommandLineError::BatchArgument { position: 1 });
            assert_eq!(found, expected, "{character:?}");
        }
        let empty = batch_command_line(&wide("cmd"), &script, &[Vec::new()]);
        assert_eq!(empty, Err(CommandLineError::BatchArgument { position: 1 }));
        for name in ["a\".bat", "a%PATH%.bat", "a^.bat", "a&b.bat", "a!b.bat", ""] {
            let found = batch_command_line(&wide("cmd"), &wide(name), &[]);
            assert_eq!(found, Err(CommandLineError::BatchName), "{name}");
        }
    }
}
