//! The reports of a training while it runs.

use std::fmt;
use std::sync::Arc;

use crate::models::Epoch;
use crate::progress::{Bar, Progress};

/// The state of a training while it runs: how far it is, and how well it goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Status {
    /// The epoch under way, from 1.
    pub epoch: usize,
    /// The number of epochs that were asked for.
    pub epochs: usize,
    /// How many batches of this epoch are done.
    pub batch: usize,
    /// How many batches an epoch has.
    pub batches: usize,
    /// The means over the part of the epoch that is done.
    pub means: Epoch,
    /// How many images are trained on in a second, since the run began.
    pub images_per_second: f64,
    /// How long the rest will take at that rate, in seconds.
    pub seconds_left: f64,
}

impl Status {
    /// How many epochs are done, with the part of the one under way: from 0 to [`Status::epochs`].
    pub fn position(&self) -> f64 {
        (self.epoch.max(1) - 1) as f64 + self.batch as f64 / self.batches.max(1) as f64
    }

    /// The share of the run that is done, in [0, 1].
    pub fn share(&self) -> f64 {
        self.position() / self.epochs.max(1) as f64
    }

    /// The means since the epoch began, in words.
    fn words(&self) -> String {
        let mut words = format!("loss {:.4}", self.means.loss);
        for (name, value) in [
            ("cross-entropy", self.means.cross_entropy),
            ("isometric", self.means.isometric),
            ("accuracy", self.means.accuracy),
        ] {
            if let Some(value) = value {
                words.push_str(&format!(", {name} {value:.4}"));
            }
        }
        words
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "epoch {}/{}", self.epoch, self.epochs)?;
        if self.batch < self.batches {
            write!(f, " ({} %)", 100 * self.batch / self.batches)?;
        }
        write!(
            f,
            ": {}; {:.0} images/s, {:.0} s left",
            self.words(),
            self.images_per_second,
            self.seconds_left
        )
    }
}

/// An observer of a training: it is called after every epoch, and at most ten times a second in
/// between.
///
/// [`live_loss`](crate::figures::live_loss) draws the loss; [`Observer::from_fn`] and
/// [`Observer::new`] make one of one's own.
///
/// # Examples
///
/// ```
/// use isopath::prelude::*;
/// use isopath::training::{Observer, Status};
/// use std::sync::atomic::{AtomicUsize, Ordering};
///
/// static EPOCHS: AtomicUsize = AtomicUsize::new(0);
/// let count = |status: &Status| EPOCHS.store(status.epoch, Ordering::Relaxed);
/// let observer = Observer::new(move || count);
/// let params = TrainParams { epochs: 2, observer: Some(observer), ..TrainParams::default() };
/// let rings = RingsParams { points: 40, ..RingsParams::default() };
/// let rings = datasets::entangled_rings(&rings)?.dataset()?;
/// let network = Model::new(0, |vb| Mlp::new(&[3, 8, 2], Activation::Tanh, vb))?;
/// train(&network, &rings, &CrossEntropy, &params)?;
/// assert_eq!(EPOCHS.load(Ordering::Relaxed), 2);
/// # Ok::<(), isopath::Error>(())
/// ```
#[derive(Clone)]
pub struct Observer(Arc<dyn Fn() -> Box<Hear> + Send + Sync>);

/// A function that is called with the state of one training.
pub(crate) type Hear = dyn FnMut(&Status) + Send;

impl Observer {
    /// Makes an observer from a function that returns a new callback for every training.
    pub fn new<F: FnMut(&Status) + Send + 'static>(
        begin: impl Fn() -> F + Send + Sync + 'static,
    ) -> Self {
        Self(Arc::new(move || Box::new(begin())))
    }

    /// Makes an observer of one function, which is called in every training.
    ///
    /// ```
    /// use isopath::prelude::*;
    ///
    /// let observer = training::Observer::from_fn(|status| println!("{status}"));
    /// let params = TrainParams { observer: Some(observer), ..TrainParams::default() };
    /// # assert!(params.observer.is_some());
    /// ```
    pub fn from_fn(hear: impl Fn(&Status) + Send + Sync + 'static) -> Self {
        let hear = Arc::new(hear);
        Self::new(move || {
            let hear = hear.clone();
            move |status: &Status| hear(status)
        })
    }

    /// The function to call for a training that begins: `observer`, else a [progress
    /// bar](crate::progress) that shows each report.
    pub(crate) fn of(observer: Option<&Self>, progress: &Progress) -> Box<Hear> {
        match observer {
            Some(observer) => (observer.0)(),
            None => Box::new(shown_on(progress.bar("training"))),
        }
    }
}

impl fmt::Debug for Observer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Observer")
    }
}

fn shown_on(bar: Bar) -> impl FnMut(&Status) + Send {
    let mut last: Option<f64> = None;
    move |progress| {
        let position = progress.position();
        match last {
            // A run that is taken up again begins with a whole epoch.
            None => bar.resume((progress.epoch.max(1) - 1) as f64, progress.epochs, UNIT),
            // Another run.
            Some(last) if position < last => bar.begin(progress.epochs, UNIT),
            Some(_) => {}
        }
        last = Some(position);
        bar.report(position, progress.words());
    }
}

const UNIT: &str = "epochs";

#[cfg(test)]
mod tests {
    use super::*;

    fn at(epoch: usize, batch: usize) -> Status {
        let means = Epoch {
            loss: 0.5,
            cross_entropy: None,
            isometric: None,
            accuracy: Some(0.25),
            seconds: 1.,
        };
        Status {
            epoch,
            epochs: 4,
            batch,
            batches: 2,
            means,
            images_per_second: 10.,
            seconds_left: 3.,
        }
    }

    #[test]
    fn the_share_counts_parts_of_epochs() {
        assert_eq!(
            [at(1, 1).position(), at(3, 2).position(), at(4, 2).share()],
            [0.5, 3., 1.]
        );
        assert_eq!(
            at(3, 1).to_string(),
            "epoch 3/4 (50 %): loss 0.5000, accuracy 0.2500; 10 images/s, 3 s left"
        );
    }

    #[test]
    fn a_run_that_was_taken_up_shows_where_it_stands() {
        let (bar, written) = Bar::in_memory("a");
        let mut show = shown_on(bar);
        show(&at(3, 1));
        drop(show);
        let text = written.text();
        assert!(text.starts_with("a:  62 %|██████▎   | 2/4 ["), "{text}");
        assert!(
            text.ends_with("epochs/s] loss 0.5000, accuracy 0.2500\n"),
            "{text}"
        );

        let (bar, written) = Bar::in_memory("a");
        let mut show = shown_on(bar);
        [at(3, 2), at(4, 2), at(1, 2)].iter().for_each(&mut show);
        drop(show);
        assert!(
            written.text().starts_with("a:  25 %|██▌       | 1/4 ["),
            "{}",
            written.text()
        );
    }
}
