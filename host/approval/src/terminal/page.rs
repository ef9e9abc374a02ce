//! A long text, a page at a time, in which no line can pass for one of the host.

use super::Terminal;
use super::render::columns_of;
use std::io;
use std::time::Duration;

/// How many lines are shown at a time.
const LINES: usize = 40;
/// What stands in front of each line, and where a long one goes on.
const MARGIN: [&str; 2] = ["  | ", "  ' "];

/// Shows `text`, which is safe to show, until its end or until the person has seen enough. Whoever
/// says nothing within `patience` has.
///
/// # Errors
/// When it cannot be shown.
pub fn page<T: Terminal + ?Sized>(
    terminal: &mut T,
    text: &str,
    patience: Duration,
) -> io::Result<()> {
    let lines = lines(text, terminal.width());
    for (number, page) in lines.chunks(LINES).enumerate() {
        if number > 0 && !wants_more(terminal, patience)? {
            break;
        }
        terminal.show(&format!("{}\n", page.join("\n")))?;
    }
    Ok(())
}

fn wants_more<T: Terminal + ?Sized>(terminal: &mut T, patience: Duration) -> io::Result<bool> {
    terminal.show("-- more? [Enter]  [q]uit\n")?;
    // Only what is typed after the question stands there is an answer to it.
    if terminal.discard_input().is_err() {
        return Ok(false);
    }
    terminal.show("> ")?;
    Ok(terminal.read_line(patience).is_ok_and(|line| line.trim().is_empty()))
}

/// Returns the lines, none of them wider than `width`.
fn lines(text: &str, width: usize) -> Vec<String> {
    let room = width.clamp(40, 200) - MARGIN[0].len();
    let mut all = Vec::new();
    for line in text.lines() {
        let (mut shown, mut left) = (MARGIN[0].to_owned(), room);
        for c in line.replace('\t', "    ").chars() {
            let wide = columns_of(c);
            if wide > left {
                all.push(std::mem::replace(&mut shown, MARGIN[1].to_owned()));
                left = room;
            }
            shown.push(c);
            left -= wide;
        }
        all.push(shown);
    }
    all
}
