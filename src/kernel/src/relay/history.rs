//! What was run, for a client's arrow-up and search.

use serde_json::{Value, json};

use super::message::Message;

/// The cells of this session, in order.
#[derive(Default)]
pub struct History {
    cells: Vec<(u32, String)>,
}

impl History {
    /// Adds a cell with its number.
    pub fn add(&mut self, count: u32, code: &str) {
        self.cells.push((count, code.to_owned()));
    }

    /// The content of a `history_reply`: the `tail` (last `n`), a `range` (`start` to before
    /// `stop`) or a `search` (a pattern with `*` and `?`). Only this session is known, as session
    /// 0.
    pub fn answer(&self, request: &Message) -> Value {
        let number = |name: &str| {
            request.content[name]
                .as_u64()
                .map(|number| usize::try_from(number).unwrap_or(usize::MAX))
        };
        let n = number("n").unwrap_or(usize::MAX);
        let found: Vec<&(u32, String)> = match request.text("hist_access_type") {
            "range" => {
                let (start, stop) = (
                    number("start").unwrap_or(0),
                    number("stop").unwrap_or(usize::MAX),
                );
                self.cells
                    .iter()
                    .filter(|(count, _)| (start..stop).contains(&(*count as usize)))
                    .collect()
            }
            "search" => {
                let pattern: Vec<char> = request.text("pattern").chars().collect();
                let mut found: Vec<&(u32, String)> = vec![];
                for cell in self
                    .cells
                    .iter()
                    .filter(|(_, code)| matches(&pattern, &code.chars().collect::<Vec<_>>()))
                {
                    if request.flag("unique", false) {
                        found.retain(|(_, code)| *code != cell.1);
                    }
                    found.push(cell);
                }
                found
            }
            _ => self.cells.iter().collect(),
        };
        let with_output = request.flag("output", false);
        let last = found.len().saturating_sub(n);
        let history: Vec<Value> = found[last..]
            .iter()
            .map(|(count, code)| {
                if with_output {
                    json!([0, count, [code, null]])
                } else {
                    json!([0, count, code])
                }
            })
            .collect();
        json!({"status": "ok", "history": history})
    }
}

/// Whether the whole text fits the pattern, `*` for any text and `?` for any character.
fn matches(pattern: &[char], text: &[char]) -> bool {
    match pattern.split_first() {
        None => text.is_empty(),
        Some(('*', rest)) => (0..=text.len()).any(|skipped| matches(rest, &text[skipped..])),
        Some((wanted, rest)) => text.split_first().is_some_and(|(found, text)| {
            (wanted == found || *wanted == '?') && matches(rest, text)
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns() {
        let fits = |pattern: &str, text: &str| {
            matches(
                &pattern.chars().collect::<Vec<_>>(),
                &text.chars().collect::<Vec<_>>(),
            )
        };
        assert!(fits("let*", "let a = 1;"));
        assert!(fits("*a?=*", "let aä= 1;"));
        assert!(!fits("let", "let a"));
        assert!(fits("", ""));
    }
}
