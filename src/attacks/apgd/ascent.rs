//! The ascent of APGD, image by image.

use super::{Apgd, ApgdLoss, Start};
use crate::attacks::apart::{Found, Rows};
use crate::attacks::objective::{Objective, descending};
use crate::attacks::pull::{largest, logits, pulled};
use crate::attacks::row_ball::RowBall;
use crate::attacks::rows::{Pixel, stream, values};
use crate::error::{Error, Result};

/// An attack with all that does not depend on the image.
pub(super) struct Ascent<'a, T> {
    pub apgd: &'a Apgd,
    pub ball: RowBall<T>,
    /// The images to start at, if they are given.
    starts: Option<Vec<T>>,
}

impl<'a, T: Pixel> Ascent<'a, T> {
    pub fn of(apgd: &'a Apgd, eps: f64) -> Result<Self> {
        let starts = match &apgd.start {
            Start::At(images) => Some(values(images)?),
            _ => None,
        };
        Ok(Self {
            apgd,
            ball: RowBall::new(apgd.norm, eps, apgd.bounds)?,
            starts,
        })
    }

    /// The number of classes to aim at, one after another.
    fn targets(&self, classes: usize) -> usize {
        match self.apgd.loss {
            ApgdLoss::TargetedDlr { targets } => targets.min(classes - 1),
            _ => 1,
        }
    }

    /// The loss for an image whose logits, before the attack, are these.
    fn objective(&self, clean: &[f64], label: u32, target: usize) -> Objective {
        match self.apgd.loss {
            ApgdLoss::CrossEntropy => Objective::CrossEntropy,
            ApgdLoss::Dlr => Objective::Dlr,
            ApgdLoss::TargetedDlr { .. } => {
                let own = label as usize;
                let mut wrong = descending(clean).into_iter().filter(|class| *class != own);
                Objective::DlrTowards(wrong.nth(target).unwrap_or(own))
            }
        }
    }

    fn start(&self, rows: &Rows<T>, row: usize, name: &str) -> Result<Vec<T>> {
        let image = rows.image(row);
        match (&self.apgd.start, &self.starts) {
            (Start::Random, _) => {
                let mut rng = stream(self.apgd.seed, name, image);
                self.ball.random(image, &mut rng)
            }
            (Start::At(_), Some(starts)) => {
                let mut start = starts[(rows.first + row) * image.len()..][..image.len()].to_vec();
                self.ball.project(image, &mut start);
                Ok(start)
            }
            _ => Ok(image.to_vec()),
        }
    }
}

/// The steps after which the step size of an image is looked at, counted from the last time.
///
/// The constants of the public code of Croce & Hein 2020.
struct Checkpoints {
    interval: usize,
    shorter_by: usize,
    least: usize,
    since: usize,
}

impl Checkpoints {
    pub fn of(steps: usize) -> Self {
        let share = |share: f64| ((share * steps as f64) as usize).max(1);
        Self {
            interval: share(0.22),
            shorter_by: share(0.03),
            least: share(0.06),
            since: 0,
        }
    }

    /// Counts a step; at a checkpoint gives the steps since the last one.
    pub fn reached(&mut self) -> Option<usize> {
        self.since += 1;
        if self.since < self.interval {
            return None;
        }
        self.since = 0;
        let interval = self.interval;
        self.interval = interval.saturating_sub(self.shorter_by).max(self.least);
        Some(interval)
    }
}

/// One image on its way.
pub(super) struct Climber<T> {
    /// Its row among those asked together.
    row: usize,
    objective: Objective,
    x: Vec<T>,
    before: Vec<T>,
    gradient: Vec<T>,
    best: Vec<T>,
    best_gradient: Vec<T>,
    best_loss: f64,
    /// The loss at the start and after each step.
    pub losses: Vec<f64>,
    /// The step size of each step.
    pub sizes: Vec<f64>,
    size: f64,
    /// The best loss at the last checkpoint, and whether the step size was halved there.
    last: (f64, bool),
    /// The point of largest loss that misleads the network.
    misled: Option<(Vec<T>, f64)>,
    first_gradient_zero: bool,
    /// The steps after which a point first misled the network.
    pub misled_after: Option<usize>,
}

impl<T: Pixel> Climber<T> {
    fn at(row: usize, objective: Objective, start: Vec<T>, eps: f64) -> Self {
        Self {
            row,
            objective,
            before: start.clone(),
            gradient: Vec::new(),
            best: start.clone(),
            best_gradient: Vec::new(),
            best_loss: f64::NEG_INFINITY,
            losses: Vec::new(),
            sizes: Vec::new(),
            size: 2. * eps,
            last: (f64::NEG_INFINITY, true),
            misled: None,
            first_gradient_zero: false,
            misled_after: None,
            x: start,
        }
    }

    /// Takes in what the network says at `x`.
    fn hear(&mut self, loss: f64, gradient: &[T], misled: bool) {
        self.gradient.clear();
        self.gradient.extend_from_slice(gradient);
        if self.losses.is_empty() {
            self.first_gradient_zero = gradient.iter().all(T::is_zero);
        }
        self.losses.push(loss);
        if loss > self.best_loss || self.best_gradient.is_empty() {
            self.best_loss = loss;
            self.best.clone_from(&self.x);
            self.best_gradient.clone_from(&self.gradient);
        }
        if misled && self.misled_after.is_none() {
            self.misled_after = Some(self.losses.len() - 1);
        }
        if misled && self.misled.as_ref().is_none_or(|(_, best)| loss > *best) {
            self.misled = Some((self.x.clone(), loss));
        }
    }

    /// Reports to what was found before of the same image.
    fn tell(&self, found: &mut Found<T>, first: bool) {
        let (image, loss) = self
            .misled
            .as_ref()
            .map_or((&self.best, self.best_loss), |at| (&at.0, at.1));
        if first {
            found.zero_gradient = self.first_gradient_zero;
        }
        if first || self.misled.is_some() || loss > found.loss_after {
            found.image = Some(image.clone());
            found.loss_after = loss;
        }
        found.evaluations += self.losses.len();
    }

    /// Halves the step size, and goes back to the best point, if progress ended in the last
    /// `interval` steps.
    fn check(&mut self, interval: usize, rho: f64) {
        let recent = &self.losses[self.losses.len().saturating_sub(interval + 1)..];
        let rises = recent.windows(2).filter(|pair| pair[1] > pair[0]).count();
        let stuck = !self.last.1 && self.last.0 >= self.best_loss;
        let halve = rises as f64 <= rho * interval as f64 || stuck;
        self.last = (self.best_loss, halve);
        if halve {
            self.size /= 2.;
            self.x.clone_from(&self.best);
            self.gradient.clone_from(&self.best_gradient);
        }
    }
}

/// # Errors
/// Too few classes for the loss.
fn check_classes(apgd: &Apgd, classes: usize) -> Result<()> {
    let least = match apgd.loss {
        ApgdLoss::CrossEntropy => Objective::CrossEntropy,
        ApgdLoss::Dlr => Objective::Dlr,
        ApgdLoss::TargetedDlr { .. } => Objective::DlrTowards(0),
    }
    .least_classes();
    match classes >= least {
        true => Ok(()),
        false => {
            let expected = format!("at least {least} for {apgd}; take another ApgdLoss");
            Err(Error::argument("number of classes", expected, classes))
        }
    }
}

/// The attack on all rows.
///
/// # Errors
/// As [`pulled`]; too few classes.
pub(super) fn ascend<T: Pixel>(attack: &Ascent<T>, rows: &Rows<T>) -> Result<Vec<Found<T>>> {
    let clean = logits(rows.network, &rows.form, &rows.images)?;
    check_classes(attack.apgd, clean.classes())?;
    let mut found: Vec<Found<T>> = (0..rows.labels.len())
        .map(|row| {
            let (label, logits) = (rows.labels[row], clean.row(row));
            let objective = attack.objective(logits, label, 0);
            let loss = objective.at(logits, label, &mut vec![0.; logits.len()]);
            Found::unchanged(loss)
        })
        .collect();
    let mut open: Vec<usize> = (0..rows.labels.len())
        .filter(|row| largest(clean.row(*row)) == rows.labels[*row])
        .collect();
    let restarts = attack.apgd.restarts;
    for attempt in 0..attack.targets(clean.classes()) * restarts {
        let (target, restart) = (attempt / restarts, attempt % restarts);
        let name = format!(
            "{} target {target} start {restart}",
            attack.apgd.loss.name()
        );
        let mut climbers = Vec::with_capacity(open.len());
        for row in &open {
            let objective = attack.objective(clean.row(*row), rows.labels[*row], target);
            let start = attack.start(rows, *row, &name)?;
            climbers.push(Climber::at(*row, objective, start, attack.ball.eps));
        }
        open.clear();
        for climber in climb(attack, rows, climbers)? {
            if climber.misled.is_none() {
                open.push(climber.row);
            }
            climber.tell(&mut found[climber.row], attempt == 0);
        }
        open.sort_unstable();
    }
    Ok(found)
}

/// Each row with its climber, at the end of one attempt towards the likeliest wrong class.
///
/// # Errors
/// As [`ascend`].
pub(super) fn climbed<T: Pixel>(attack: &Ascent<T>, rows: &Rows<T>) -> Result<Vec<Climber<T>>> {
    let clean = logits(rows.network, &rows.form, &rows.images)?;
    check_classes(attack.apgd, clean.classes())?;
    let name = format!("{} target 0 start 0", attack.apgd.loss.name());
    let climbers = (0..rows.labels.len()).map(|row| {
        let objective = attack.objective(clean.row(row), rows.labels[row], 0);
        let start = attack.start(rows, row, &name)?;
        Ok(Climber::at(row, objective, start, attack.ball.eps))
    });
    let mut climbers = climb(attack, rows, climbers.collect::<Result<_>>()?)?;
    climbers.sort_by_key(|climber| climber.row);
    Ok(climbers)
}

/// Takes all steps with all climbers.
///
/// # Errors
/// As [`pulled`].
fn climb<T: Pixel>(
    attack: &Ascent<T>,
    rows: &Rows<T>,
    mut climbers: Vec<Climber<T>>,
) -> Result<Vec<Climber<T>>> {
    let Apgd {
        steps,
        rho,
        until_misled,
        ..
    } = *attack.apgd;
    let mut done = Vec::with_capacity(climbers.len());
    let mut checkpoints = Checkpoints::of(steps);
    let mut asked: Vec<T> = Vec::new();
    for step in 0..=steps {
        if climbers.is_empty() {
            break;
        }
        if step > 0 {
            // The first step has no momentum yet.
            let share = if step == 1 { 1. } else { 0.75 };
            for climber in &mut climbers {
                climber.sizes.push(climber.size);
                attack.ball.step(
                    rows.image(climber.row),
                    (&mut climber.x, &mut climber.before),
                    &climber.gradient,
                    (climber.size, share),
                );
            }
        }
        asked.clear();
        climbers
            .iter()
            .for_each(|climber| asked.extend_from_slice(&climber.x));
        let mut losses = Vec::with_capacity(climbers.len());
        let (answers, gradients) =
            pulled(rows.network, &rows.form, &asked, |at, logits, slope| {
                let climber: &Climber<T> = &climbers[at];
                losses.push(
                    climber
                        .objective
                        .at(logits, rows.labels[climber.row], slope),
                );
            })?;
        let gradients = gradients.chunks(rows.form.pixels());
        for ((at, climber), gradient) in climbers.iter_mut().enumerate().zip(gradients) {
            let misled = largest(answers.row(at)) != rows.labels[climber.row];
            climber.hear(losses[at], gradient, misled);
        }
        if until_misled {
            done.extend(climbers.extract_if(.., |climber| climber.misled.is_some()));
        }
        if step > 0
            && let Some(interval) = checkpoints.reached()
        {
            climbers
                .iter_mut()
                .for_each(|climber| climber.check(interval, rho));
        }
    }
    done.extend(climbers);
    Ok(done)
}
