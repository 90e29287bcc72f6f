//! A chart of the loss that is updated during training.

use std::time::Duration;

use super::figure::Figure;
use super::lines::{AxisScale, LineChart, Series};
use crate::display::{Handle, Kind, Screen, Show as _};
use crate::error::Result;
use crate::progress::Pace;
use crate::training::{Epoch, Observer, Status};

/// Between two drawings: a figure is some ten kilobytes.
const EVERY: Duration = Duration::from_millis(500);
/// Epochs that are drawn.
const POINTS: usize = 300;

/// An [`Observer`] that draws the loss over the epochs, and its terms where it has any, in one figure
/// that grows while a training runs, at most twice a second. Its last state stays, also after a stop.
///
/// Each point is the mean over an epoch, the last one that over the part that is done. Where
/// [nothing can change in place](mod@crate::display#without-the-kernel-of-isopath), only the last
/// state is shown, in words.
///
/// ```
/// use isopath::figures::live_loss;
/// use isopath::training::TrainParams;
///
/// let params = TrainParams { observer: Some(live_loss("β = 1")), ..TrainParams::default() };
/// ```
pub fn live_loss(title: impl Into<String>) -> Observer {
    let title = title.into();
    Observer::new(move || {
        let mut live = LiveLoss::new(Screen::of_process().clone(), title.clone());
        move |status: &Status| live.add(status)
    })
}

/// A part of the loss, if it has it.
type Part = fn(&Epoch) -> Option<f64>;

struct LiveLoss {
    screen: Screen,
    title: String,
    /// The epochs that are done.
    epochs: Vec<(f64, Epoch)>,
    /// The one under way.
    current: Option<(f64, Epoch)>,
    /// Where training stands, in words.
    words: String,
    pace: Pace,
    handle: Option<Handle>,
}

impl LiveLoss {
    fn new(screen: Screen, title: String) -> Self {
        let (epochs, words, pace) = (Vec::new(), String::new(), Pace::new(EVERY));
        Self {
            screen,
            title,
            epochs,
            current: None,
            words,
            pace,
            handle: None,
        }
    }

    fn add(&mut self, progress: &Status) {
        let point = (progress.position(), progress.means.clone());
        // Another run with the same callback.
        if self.epochs.last().is_some_and(|(last, _)| *last >= point.0) {
            self.epochs.clear();
        }
        self.current = if progress.batch < progress.batches {
            Some(point)
        } else {
            self.epochs.push(point);
            None
        };
        self.words = progress.to_string();
        if self.screen.is_live() && self.pace.is_due() {
            self.draw();
        }
    }

    /// A figure that cannot be drawn is no reason to end a training.
    fn draw(&mut self) {
        let Ok(figure) = self.figure() else { return };
        match &self.handle {
            Some(handle) => handle.update(&figure),
            None if self.screen.is_live() => {
                self.handle = Some(Handle::new(self.screen.clone(), &figure.bundle()))
            }
            None => self.screen.display(Kind::Display, None, &figure.bundle()),
        }
    }

    fn figure(&self) -> Result<Figure> {
        let every = self.epochs.len().div_ceil(POINTS).max(1);
        let last = self.epochs.len().saturating_sub(1);
        let thinned = self
            .epochs
            .iter()
            .enumerate()
            .filter(|(at, _)| at % every == 0 || *at == last);
        let points: Vec<&(f64, Epoch)> = thinned
            .map(|(_, point)| point)
            .chain(&self.current)
            .collect();
        let parts: [(&str, Part); 3] = [
            ("loss", |epoch| Some(epoch.loss)),
            ("cross-entropy", |epoch| epoch.cross_entropy),
            ("isometric, before β", |epoch| epoch.isometric),
        ];
        // A loss that has one part is that part.
        let count = if points.iter().any(|(_, epoch)| epoch.isometric.is_some()) {
            3
        } else {
            1
        };
        let series: Vec<Series> = parts
            .iter()
            .take(count)
            .filter_map(|(name, part)| {
                let found = points
                    .iter()
                    .filter_map(|(x, epoch)| Some((*x, part(epoch)?)));
                let (x, y): (Vec<f64>, Vec<f64>) = found.filter(|(_, y)| y.is_finite()).unzip();
                (!x.is_empty()).then(|| Series::line(*name, &x, &y))
            })
            .collect();
        let positive = series
            .iter()
            .flat_map(|series| &series.mean)
            .all(|y| *y > 0.);
        let chart = LineChart {
            title: self.title.clone(),
            x_label: "epoch".into(),
            y_label: if positive {
                "loss (logarithmic)".into()
            } else {
                "loss".into()
            },
            y_scale: if positive {
                AxisScale::Log
            } else {
                AxisScale::Linear
            },
            series,
            note: self.words.clone(),
            ..LineChart::default()
        };
        chart.figure()
    }
}

/// The last state stays.
impl Drop for LiveLoss {
    fn drop(&mut self) {
        if !self.words.is_empty() {
            self.draw();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: usize, batch: usize, loss: f64, isometric: Option<f64>) -> Status {
        let means = Epoch {
            loss,
            cross_entropy: isometric,
            isometric,
            accuracy: None,
            seconds: 1.,
        };
        Status {
            epoch,
            epochs: 900,
            batch,
            batches: 2,
            means,
            images_per_second: 10.,
            seconds_left: 3.,
        }
    }

    #[test]
    fn the_figure_grows_in_place_and_its_last_state_stays() {
        let (screen, out) = Screen::in_memory(true);
        let mut live = LiveLoss::new(screen, "β = 1".into());
        for epoch in 1..=900 {
            live.add(&at(epoch, 2, 1. / epoch as f64, Some(2.)));
        }
        live.add(&at(901, 1, 0.5, Some(2.)));
        drop(live);
        let messages: Vec<serde_json::Value> = out
            .lines()
            .iter()
            .map(|line| serde_json::from_str(line.split_once("DISPLAY ").unwrap().1).unwrap())
            .collect();
        assert_eq!(
            (messages[0]["kind"].as_str(), messages[1]["kind"].as_str()),
            (Some("display"), Some("update"))
        );
        assert!(
            messages
                .iter()
                .all(|message| message["id"] == messages[0]["id"])
                && messages.len() < 20
        );
        let words = messages.last().unwrap()["data"]["text/plain"]
            .as_str()
            .unwrap();
        assert!(
            words.starts_with("β = 1\nloss (logarithmic) against epoch.\n"),
            "{words}"
        );
        assert!(
            words.contains("loss: 1 at 1, 0.5 at 900.5")
                && words.contains("isometric, before β: 2 at 1"),
            "{words}"
        );
        assert!(words.contains("epoch 901/900 (50 %)"), "{words}");
    }

    #[test]
    fn elsewhere_the_last_state_is_shown_in_words() {
        let (screen, out) = Screen::in_memory(false);
        let mut live = LiveLoss::new(screen.clone(), String::new());
        live.add(&at(1, 2, 1., None));
        live.add(&at(2, 2, 0., None));
        assert_eq!(out.text(), "");
        // Nothing that could be drawn.
        live.add(&at(3, 2, f64::NAN, None));
        drop(live);
        let text = out.text();
        assert!(
            text.starts_with("loss against epoch.\n  loss: 1 at 1, 0 at 2\n"),
            "{text}"
        );
        drop(LiveLoss::new(screen, "never called".into()));
        assert_eq!(out.text(), text);
    }

    #[test]
    fn a_sample_to_be_looked_at() -> Result<()> {
        let mut live = LiveLoss::new(Screen::in_memory(false).0, "Training with β = 1".into());
        for epoch in 1..=400 {
            let epoch_share = epoch as f64 / 400.;
            live.add(&at(
                epoch,
                2,
                (-3. * epoch_share).exp(),
                Some(0.3 + 0.1 * (9. * epoch_share).sin()),
            ));
        }
        let figure = live.figure()?;
        crate::figures::testing::assert_well_formed(&figure);
        crate::figures::testing::sample("live_loss", &figure);
        Ok(())
    }
}
