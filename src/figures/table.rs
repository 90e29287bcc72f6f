//! Tables of results.

use std::fmt;

use super::figure::escape;
use crate::display::{self, Bundle, Show};
use crate::statistics::mean_std;

/// A table whose first column names the rows.
///
/// Rows may be shorter than `columns`; what is missing is shown empty, and so is the heading of
/// surplus cells.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// The columns' headings.
    pub columns: Vec<String>,
    /// The cells, row by row.
    pub rows: Vec<Vec<String>>,
    /// Above the table; may be empty.
    pub caption: String,
}

impl Table {
    /// A table without rows.
    pub fn new<S: Into<String>>(
        caption: impl Into<String>,
        columns: impl IntoIterator<Item = S>,
    ) -> Self {
        Self {
            columns: columns.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
            caption: caption.into(),
        }
    }

    /// Adds a row.
    pub fn push<S: Into<String>>(&mut self, row: impl IntoIterator<Item = S>) {
        self.rows.push(row.into_iter().map(Into::into).collect());
    }

    /// The table in HTML: class `isopath-table`, headings with their scope.
    pub fn html(&self) -> String {
        let mut html = String::from("<table class=\"isopath-table\">\n");
        if !self.caption.is_empty() {
            html.push_str(&format!("<caption>{}</caption>\n", escape(&self.caption)));
        }
        html.push_str("<thead><tr>");
        for column in 0..self.width() {
            html.push_str(&format!(
                "<th scope=\"col\">{}</th>",
                escape(cell(&self.columns, column))
            ));
        }
        html.push_str("</tr></thead>\n<tbody>\n");
        for row in &self.rows {
            html.push_str(&format!(
                "<tr><th scope=\"row\">{}</th>",
                escape(cell(row, 0))
            ));
            for column in 1..self.width() {
                html.push_str(&format!("<td>{}</td>", escape(cell(row, column))));
            }
            html.push_str("</tr>\n");
        }
        html.push_str("</tbody>\n</table>");
        html
    }

    /// Shows the table as the value of a cell; [`display`](crate::display()) shows it at any place
    /// of one.
    pub fn evcxr_display(&self) {
        display::value(self);
    }

    fn width(&self) -> usize {
        self.rows
            .iter()
            .map(Vec::len)
            .chain([self.columns.len()])
            .max()
            .unwrap_or(0)
    }
}

/// `text/html` and `text/plain`.
impl Show for Table {
    fn bundle(&self) -> Bundle {
        Bundle::new([
            ("text/html", self.html().as_str()),
            ("text/plain", &self.to_string()),
        ])
    }
}

/// Mean ± standard deviation of several runs; the value alone of a single one, "–" of none.
pub fn plus_minus(runs: &[f64], decimals: usize) -> String {
    let (mean, std) = mean_std(runs);
    match runs.len() {
        0 => "–".into(),
        1 => format!("{mean:.decimals$}"),
        _ => format!("{mean:.decimals$} ± {std:.decimals$}"),
    }
}

fn cell(row: &[String], column: usize) -> &str {
    row.get(column).map_or("", String::as_str)
}

/// Aligned columns: the first to the left, the others to the right.
impl fmt::Display for Table {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines = || std::iter::once(&self.columns).chain(&self.rows);
        let widths: Vec<usize> = (0..self.width())
            .map(|column| {
                lines()
                    .map(|row| cell(row, column).chars().count())
                    .max()
                    .unwrap_or(0)
            })
            .collect();
        if !self.caption.is_empty() {
            writeln!(f, "{}", self.caption)?;
        }
        for (index, row) in lines().enumerate() {
            let cells: Vec<String> = widths
                .iter()
                .enumerate()
                .map(|(column, width)| match column {
                    0 => format!("{:<width$}", cell(row, column)),
                    _ => format!("{:>width$}", cell(row, column)),
                })
                .collect();
            writeln!(f, "{}", cells.join("  ").trim_end())?;
            if index == 0 {
                writeln!(
                    f,
                    "{}",
                    widths
                        .iter()
                        .map(|width| "─".repeat(*width))
                        .collect::<Vec<_>>()
                        .join("──")
                )?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn html_and_text() {
        let mut table = Table::new("Accuracy <clean> & attacked", ["β", "accuracy"]);
        table.push(["0", "0.97"]);
        table.push(["0.001", "0.9"]);
        table.push(["short"]);
        assert_eq!(
            table.to_string(),
            "Accuracy <clean> & attacked\nβ      accuracy\n───────────────\n0          0.97\n0.001       0.9\nshort\n"
        );
        let html = table.html();
        assert!(
            html.contains("<caption>Accuracy &lt;clean&gt; &amp; attacked</caption>"),
            "{html}"
        );
        assert!(
            html.contains("<th scope=\"col\">β</th>")
                && html.contains("<th scope=\"row\">0.001</th><td>0.9</td>")
        );
        assert!(html.contains("<th scope=\"row\">short</th><td></td>"));
        assert_eq!(html.matches("<tr>").count(), html.matches("</tr>").count());
        let bundle = table.bundle();
        assert_eq!(
            (bundle.get("text/html"), bundle.get("text/plain")),
            (Some(&*html), Some(&*table.to_string()))
        );
    }

    #[test]
    fn spread_needs_two_runs() {
        assert_eq!(plus_minus(&[0.5, 0.7], 2), "0.60 ± 0.14");
        assert_eq!(plus_minus(&[0.5], 3), "0.500");
        assert_eq!(plus_minus(&[], 3), "–");
    }

    #[test]
    fn awkward_tables_are_shown() {
        assert_eq!(Table::default().to_string(), "\n\n");
        let surplus = Table {
            rows: vec![vec!["a".into(), "b".into()]],
            ..Table::default()
        };
        assert!(surplus.html().contains("<td>b</td>"));
    }
}
