//! The text of a progress bar.

use std::time::Duration;

/// The unit of bytes, shown as millions.
pub(super) const MEGABYTES: &str = "MB";

const CELLS: usize = 10;
/// Characters of the label that are shown.
const LABEL: usize = 40;
/// What is above a whole number by less than this came from adding parts.
const ROUNDING: f64 = 1e-6;

/// The state of a progress bar.
pub(super) struct Line {
    label: String,
    total: Option<f64>,
    unit: &'static str,
    /// Steps that were done before the time began.
    pub before: f64,
    /// Steps that are done.
    pub position: f64,
    pub note: String,
}

impl Line {
    pub fn new(label: String) -> Self {
        Self {
            label,
            total: None,
            unit: "steps",
            before: 0.,
            position: 0.,
            note: String::new(),
        }
    }

    pub fn begin(&mut self, total: Option<f64>, unit: &'static str) {
        (self.total, self.unit, self.before, self.position) = (total, unit, 0., 0.);
    }

    pub fn unit(&self) -> &'static str {
        self.unit
    }

    /// Whether all steps are done.
    pub fn is_complete(&self) -> bool {
        self.total
            .is_some_and(|total| self.position + ROUNDING >= total)
    }

    /// The line, `elapsed` after the time began.
    pub fn text(&self, elapsed: Duration) -> String {
        let done = self.position - self.before;
        let rate = Some(done / elapsed.as_secs_f64()).filter(|rate| rate.is_finite() && *rate > 0.);
        let speed = rate.map_or("?".into(), |rate| significant(self.shown(rate)));
        let (elapsed, unit) = (clock(elapsed.as_secs_f64()), self.unit);
        let position = self.count(self.position);
        let mut text = match cut(&self.label, LABEL).as_str() {
            "" => String::new(),
            label => format!("{label}: "),
        };
        match self.total {
            Some(total) => {
                let share = if total > 0. {
                    ((self.position + ROUNDING) / total).clamp(0., 1.)
                } else {
                    1.
                };
                let left = match rate {
                    _ if share >= 1. => clock(0.),
                    Some(rate) => clock((total - self.position) / rate),
                    None => "?".into(),
                };
                let (percent, cells, total) =
                    ((100. * share).floor(), cells(share), self.count(total));
                let of = if unit == MEGABYTES { " MB" } else { "" };
                let time = format!("{elapsed}<{left}, {speed} {unit}/s");
                text.push_str(&format!(
                    "{percent:>3} %|{cells}| {position}/{total}{of} [{time}]"
                ));
            }
            None => text.push_str(&format!("{position} {unit} [{elapsed}, {speed} {unit}/s]")),
        }
        if !self.note.is_empty() {
            text.push(' ');
            // One line, whatever is said.
            text.extend(
                self.note
                    .chars()
                    .map(|c| if c.is_control() { ' ' } else { c }),
            );
        }
        text
    }

    /// A number of steps in the unit that is shown.
    fn shown(&self, steps: f64) -> f64 {
        if self.unit == MEGABYTES {
            steps / 1e6
        } else {
            steps
        }
    }

    /// Whole steps.
    fn count(&self, steps: f64) -> String {
        format!("{:.0}", (self.shown(steps) + ROUNDING).floor())
    }
}

/// A share in [0, 1] as cells, the last one filled by eighths.
fn cells(share: f64) -> String {
    const EIGHTHS: [&str; 8] = ["", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (share * 8. * CELLS as f64).floor() as usize;
    let filled = "█".repeat(eighths / 8) + EIGHTHS[eighths % 8];
    format!("{filled:<CELLS$}")
}

/// Seconds as `m:ss` or `h:mm:ss`.
fn clock(seconds: f64) -> String {
    // A cast saturates.
    let seconds = seconds.round() as u64;
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 {
        format!("{hours}:{minutes:02}:{seconds:02}")
    } else {
        format!("{minutes}:{seconds:02}")
    }
}

/// A rate with two significant digits or more.
fn significant(rate: f64) -> String {
    let decimals = if rate >= 100. {
        0
    } else {
        (1. - rate.log10().floor()).clamp(1., 9.) as usize
    };
    format!("{rate:.decimals$}")
}

/// At most so many characters, the last of a longer text an ellipsis.
pub(super) fn cut(text: &str, characters: usize) -> String {
    if text.chars().count() <= characters {
        return text.to_owned();
    }
    text.chars()
        .take(characters.saturating_sub(1))
        .chain(['…'])
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(label: &str, total: Option<f64>, position: f64, note: &str) -> Line {
        let mut line = Line::new(label.into());
        line.begin(total, "epochs");
        (line.position, line.note) = (position, note.into());
        line
    }

    #[test]
    fn from_none_to_all() {
        let at = |position, seconds| {
            line("β = 1", Some(200.), position, "loss 0.0123")
                .text(Duration::from_secs_f64(seconds))
        };
        assert_eq!(
            at(0., 0.),
            "β = 1:   0 %|          | 0/200 [0:00<?, ? epochs/s] loss 0.0123"
        );
        assert_eq!(
            at(90., 12.2),
            "β = 1:  45 %|████▌     | 90/200 [0:12<0:15, 7.4 epochs/s] loss 0.0123"
        );
        assert_eq!(
            at(199.9, 20.),
            "β = 1:  99 %|█████████▉| 199/200 [0:20<0:00, 10.0 epochs/s] loss 0.0123"
        );
        assert_eq!(
            at(200., 3_700.),
            "β = 1: 100 %|██████████| 200/200 [1:01:40<0:00, 0.054 epochs/s] loss 0.0123"
        );
    }

    #[test]
    fn without_a_total_or_a_label() {
        let text = line("seen", None, 90., "").text(Duration::from_secs(12));
        assert_eq!(text, "seen: 90 epochs [0:12, 7.5 epochs/s]");
        let text = line("", Some(0.), 0., "").text(Duration::ZERO);
        assert_eq!(text, "100 %|██████████| 0/0 [0:00<0:00, ? epochs/s]");
    }

    #[test]
    fn a_long_label_is_cut_and_a_note_stays_on_the_line() {
        let text = line(&"ä".repeat(50), None, 1., "two\nlines\r").text(Duration::from_secs(1));
        assert_eq!(
            text,
            format!(
                "{}…: 1 epochs [0:01, 1.0 epochs/s] two lines ",
                "ä".repeat(39)
            )
        );
    }

    #[test]
    fn bytes_are_megabytes() {
        let mut line = Line::new("cifar10".into());
        line.begin(Some(184_380_000.), MEGABYTES);
        line.position = 61_460_000.;
        let text = line.text(Duration::from_secs(10));
        assert_eq!(
            text,
            "cifar10:  33 %|███▎      | 61/184 MB [0:10<0:20, 6.1 MB/s]"
        );
    }

    #[test]
    fn what_was_done_before_is_no_part_of_the_rate() {
        let mut line = line("a", Some(10.), 6., "");
        line.before = 4.;
        assert_eq!(
            line.text(Duration::from_secs(4)),
            "a:  60 %|██████    | 6/10 [0:04<0:08, 0.50 epochs/s]"
        );
    }

    #[test]
    fn thirds_that_were_added_are_a_whole() {
        let position = (0..30).map(|_| 0.1f64).sum();
        assert!(
            line("a", Some(3.), position, "")
                .text(Duration::from_secs(1))
                .starts_with("a: 100 %|██████████| 3/3")
        );
    }
}
