//! What a terminal shows in the end of what was written to it.

/// Returns the lines on a terminal that is as high and wide as need be. What it does not know is a panic:
/// nothing else may steer it.
pub(crate) fn screen(written: &str) -> Vec<String> {
    let (mut lines, mut row, mut column) = (vec![Vec::new()], 0_usize, 0_usize);
    let mut rest = written.chars();
    while let Some(c) = rest.next() {
        match c {
            '\n' => {
                row += 1;
                if row == lines.len() {
                    lines.push(Vec::new());
                }
            }
            '\r' => column = 0,
            '\u{1b}' => {
                assert_eq!(rest.next(), Some('['), "{written:?}");
                let mut order = String::new();
                // To its last character, which is a letter.
                while !order.ends_with(|c: char| c.is_ascii_alphabetic()) {
                    order.push(rest.next().unwrap());
                }
                match order.as_str() {
                    "J" => {
                        lines.truncate(row + 1);
                        lines[row].truncate(column);
                    }
                    // To go on in the next line or not; and colours.
                    "?7l" | "?7h" => {}
                    colour if colour.ends_with('m') => {}
                    up => {
                        let by: usize = up.strip_suffix('A').unwrap().parse().unwrap();
                        assert!(by <= row, "drawn over what is not there: {written:?}");
                        row -= by;
                    }
                }
            }
            c => {
                let line = &mut lines[row];
                line.resize(line.len().max(column), ' ');
                if column < line.len() {
                    line[column] = c;
                } else {
                    line.push(c);
                }
                column += 1;
            }
        }
    }
    lines.into_iter().map(|line| line.into_iter().collect()).collect()
}

#[test]
fn a_tree_is_drawn_over_and_the_rest_stays() {
    let written =
        "before\r\n\x1b[?7la waits\r\nb waits\r\n\x1b[?7h\x1b[?7l\x1b[2A\x1b[Ja done\r\n\x1b[?7h";
    assert_eq!(screen(written), ["before", "a done", ""]);
}
