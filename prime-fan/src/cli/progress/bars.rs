//! Progress bars for the status lines of a terminal.

use super::View;
use crate::cli::counts::Nouns;
use crate::cli::human::{count, fit, percent, short};
use crate::cli::messages;

/// The width of a bar in columns.
const CELLS: usize = 8;

/// A terminal with fewer columns shows no bars, only text.
const NARROW: usize = 60;

/// Columns that are left free, for the `^C` that the terminal echoes.
const FREE: usize = 3;

const SPINNER: [&str; 4] = ["| ", "/ ", "- ", "\\ "];

#[derive(Debug, Default)]
pub(super) struct Bars {
    frames: usize,
}

impl Bars {
    /// Returns the lines to draw on a terminal of `columns` columns; with `workers`, a line per worker or node as well.
    pub(super) fn lines(&mut self, view: &View<'_>, nouns: Nouns, workers: bool, columns: usize) -> Vec<String> {
        self.frames += 1;
        let head = match view.part {
            // The text how to quit needs the room.
            Some(_) if view.draining && columns < NARROW => String::new(),
            Some(part) => bar(part, columns),
            None => SPINNER[self.frames % SPINNER.len()].to_owned(),
        };
        let mut lines = vec![line(&head, &view.facts, columns)];
        if workers {
            lines.extend(view.stats.workers.iter().zip(&view.busy).enumerate().map(|(index, (worker, &busy))| {
                let facts = [(1, format!("worker {index}")), (0, format!(", {}", count(worker.items, nouns.items)))];
                line(&bar(busy, columns), &facts, columns)
            }));
            lines.extend(view.nodes.iter().map(|(node, rate)| {
                let items = [(0, format!(", {}", count(node.items, nouns.items)))];
                let facts = [(2, node.name.to_string()), (1, format!(", {} {}/s", short(*rate), nouns.items[1]))];
                line("", &[facts.as_slice(), &items].concat(), columns)
            }));
        }
        if messages::has_colours() {
            lines.iter_mut().for_each(colour);
        }
        lines
    }
}

/// Returns a part from 0 to 1 as a bar and in percent.
fn bar(part: f64, columns: usize) -> String {
    let percent = percent(part);
    if columns < NARROW {
        return format!("{percent:>5}  ");
    }
    let full = (part.clamp(0.0, 1.0) * CELLS as f64) as usize;
    let tip = if full == CELLS { "" } else { ">" };
    format!("[{:CELLS$}] {percent:>5}  ", "=".repeat(full) + tip)
}

/// Returns a line no wider than the terminal, since a line that wraps can't be redrawn in place.
fn line(head: &str, facts: &[(u8, String)], columns: usize) -> String {
    let room = columns.saturating_sub(FREE);
    let text = fit(room.saturating_sub(head.len()), facts);
    let line = if head.len() + text.len() <= room { format!("{head}{text}") } else { head.to_owned() };
    if line.len() <= room { line } else { String::new() }
}

fn colour(line: &mut String) {
    if let Some((cells, rest)) = line.strip_prefix('[').and_then(|line| line.split_once(']')) {
        *line = format!("[\x1b[36m{cells}\x1b[39m]{rest}");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_cut_between_facts_and_never_inside_of_one() {
        let facts =
            [(2, "12.3 M numbers/s".to_owned()), (0, ", 3.21 k found".to_owned()), (1, ", 2m 5s left".to_owned())];
        let line = |columns| line(&bar(0.42, columns), &facts, columns);
        assert_eq!(line(80), "[===>    ]  42 %  12.3 M numbers/s, 3.21 k found, 2m 5s left");
        assert_eq!(line(62), "[===>    ]  42 %  12.3 M numbers/s, 2m 5s left");
        assert_eq!(line(40), " 42 %  12.3 M numbers/s, 2m 5s left");
        assert_eq!(line(30), " 42 %  12.3 M numbers/s");
        assert_eq!(line(20), " 42 %  ");
        assert_eq!(line(5), "");
        assert_eq!(line(0), "");
    }

    #[test]
    fn a_bar_is_full_when_all_is_done() {
        assert_eq!(bar(0.0, 80), "[>       ]   0 %  ");
        assert_eq!(bar(0.999, 80), "[=======>]  99 %  ");
        assert_eq!(bar(1.0, 80), "[========] 100 %  ");
    }
}
