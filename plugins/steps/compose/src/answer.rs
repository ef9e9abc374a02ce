//! The answer of a model: lines, each a sentence and the numbers of what it rests on.

/// Longest sentence, in bytes.
const MAX_TEXT_BYTES: usize = 1000;
/// Most passages of one sentence.
const MAX_NUMBERS: usize = 8;

/// A sentence.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) text: String,
    pub(crate) numbers: Vec<u32>,
}

/// Reads an answer. A line without a sentence is passed over; one that is too long is no sentence.
pub(crate) fn lines(answer: &str, most: usize) -> Vec<Line> {
    let lines = answer.lines().map(line);
    let is_sentence = |line: &Line| !line.text.is_empty() && line.text.len() <= MAX_TEXT_BYTES;
    lines.filter(is_sentence).take(most).collect()
}

fn line(text: &str) -> Line {
    let mark = |c: char| matches!(c, '-' | '*' | '#' | '>' | ' ' | '\t');
    let (mut said, mut numbers, mut rest) =
        (String::new(), Vec::new(), text.trim_start_matches(mark));
    while let Some((before, after)) = rest.split_once('[') {
        let inside = after.split_once(']').and_then(|(inside, after)| {
            let all = inside.split(',').map(|number| number.trim().parse::<u32>().ok());
            Some((all.collect::<Option<Vec<_>>>()?, after))
        });
        if let Some((all, after)) = inside {
            said.push_str(before.trim_end());
            numbers.extend(all);
            rest = after;
        } else {
            // A bracket of the text.
            said.push_str(before);
            said.push('[');
            rest = after;
        }
    }
    said.push_str(rest);
    numbers.dedup();
    numbers.truncate(MAX_NUMBERS);
    let words: Vec<_> = said
        .split(|c: char| c.is_control() || c.is_whitespace())
        .filter(|word| !word.is_empty())
        .collect();
    Line { text: words.join(" "), numbers }
}

#[cfg(test)]
mod tests {
    use super::lines;

    #[test]
    fn a_line_is_a_sentence_and_what_it_rests_on() {
        let answer = "Dams hold water [2].\n\n- Weirs measure it. [1][3]\nIt [sic] flows [4, 5]\n[6]\nNothing cited.\nx [7\n";
        let read: Vec<_> =
            lines(answer, 9).into_iter().map(|line| (line.text, line.numbers)).collect();
        let is = |text: &str, numbers: &[u32]| (text.to_owned(), numbers.to_vec());
        let expected = [
            is("Dams hold water.", &[2]),
            is("Weirs measure it.", &[1, 3]),
            is("It [sic] flows", &[4, 5]),
            is("Nothing cited.", &[]),
            is("x [7", &[]),
        ];
        assert_eq!(read, expected);
        assert_eq!(lines(answer, 1).len(), 1);
        assert!(lines(&"x".repeat(2000), 9).is_empty());
    }
}
