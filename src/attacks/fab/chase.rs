//! The runs of FAB, for many images at a time.

use super::Fab;
use super::stride::Stride;
use crate::attacks::apart::Rows;
use crate::attacks::goal::Norm;
use crate::attacks::nearest::Nearest;
use crate::attacks::objective::descending;
use crate::attacks::pull::{Logits, jacobian, largest, logits, margin, pulled, two_classes};
use crate::attacks::row_ball::RowBall;
use crate::attacks::rows::{Pixel, distance, stream};
use crate::error::Result;

/// The floor under the norm of a gradient, the reference implementation's.
const FLOOR: f64 = 1e-12;

/// The search for the nearest image that misleads, around each image of `rows`.
pub(super) struct Chase<'a, T> {
    fab: &'a Fab,
    rows: &'a Rows<'a, T>,
    /// The distance at which an image is near enough.
    enough: f64,
    /// The logits of the images themselves.
    before: Logits,
    nearest: Vec<Nearest<T>>,
    stride: Stride<T>,
}

/// The images that take part in one run, one after another in `x`.
struct Run<T> {
    rows: Vec<usize>,
    x: Vec<T>,
}

/// The inner end of a search for the boundary: an image that does not mislead, and its logits.
struct End<T> {
    row: usize,
    inner: Vec<T>,
    logits: Vec<f64>,
}

impl<'a, T: Pixel> Chase<'a, T> {
    pub fn new(fab: &'a Fab, rows: &'a Rows<'a, T>, enough: f64) -> Result<Self> {
        let before = logits(rows.network, &rows.form, &rows.images)?;
        two_classes(before.classes())?;
        let of_row = |(row, label): (usize, &u32)| {
            let logits = before.row(row);
            Nearest::new(margin(logits, *label), largest(logits) == *label)
        };
        Ok(Self {
            nearest: rows.labels.iter().enumerate().map(of_row).collect(),
            stride: Stride::new(fab, rows.form.pixels())?,
            fab,
            rows,
            enough,
            before,
        })
    }

    /// What is found for each image; nothing unless it is to `search`.
    pub fn run(mut self, search: bool) -> Result<Vec<Nearest<T>>> {
        let attempts = match self.fab.targets {
            Some(targets) => targets.min(self.before.classes() - 1),
            None => 1,
        };
        for attempt in (0..attempts).filter(|_| search) {
            for restart in 0..self.fab.restarts {
                let open = self.far(0..self.nearest.len());
                if open.is_empty() {
                    return Ok(self.nearest);
                }
                let known: Vec<f64> = open.iter().map(|row| self.nearest[*row].distance).collect();
                self.chase(&open, attempt, restart)?;
                let nearer = |(row, known): &(usize, f64)| self.nearest[*row].distance < *known;
                let improved = open.into_iter().zip(known).filter(nearer);
                let improved = self.far(improved.map(|(row, _)| row));
                self.search(improved)?;
            }
        }
        Ok(self.nearest)
    }

    fn pixels(&self) -> usize {
        self.rows.form.pixels()
    }

    /// Those of `rows` that are not yet near enough.
    fn far(&self, rows: impl Iterator<Item = usize>) -> Vec<usize> {
        rows.filter(|row| self.nearest[*row].distance > self.enough)
            .collect()
    }

    /// One run, towards the class that is `attempt`-th likely of the wrong ones.
    fn chase(&mut self, open: &[usize], attempt: usize, restart: usize) -> Result<()> {
        let targets = self.fab.targets.map(|_| self.targets(attempt));
        let mut run = Run {
            rows: open.to_vec(),
            x: self.starts(open, attempt, restart)?,
        };
        let pixels = self.pixels();
        for step in 0..self.fab.steps {
            if run.rows.is_empty() {
                break;
            }
            let (planes, excess) = match &targets {
                Some(targets) => self.planes_towards(&run, targets)?,
                None => self.nearest_planes(&run)?,
            };
            for (place, row) in run.rows.iter().enumerate() {
                let plane = &planes[place * pixels..][..pixels];
                let found = &mut self.nearest[*row].found;
                found.evaluations += targets.as_ref().map_or(self.before.classes(), |_| 1);
                if (attempt, restart, step) == (0, 0, 0) {
                    found.zero_gradient = plane.iter().all(|g| *g == T::zero());
                }
                let x = &mut run.x[place * pixels..][..pixels];
                let image = self.rows.image(*row);
                self.stride.take(x, image, plane, excess[place]);
            }
            run.x = self.rows.form.rounded(run.x)?;
            self.settle(&mut run)?;
        }
        Ok(())
    }

    /// The wrong class that is `attempt`-th likely, for each image of all.
    fn targets(&self, attempt: usize) -> Vec<usize> {
        let of_row = |(row, label): (usize, &u32)| {
            let own = *label as usize;
            let order = descending(self.before.row(row)).into_iter();
            let mut wrong = order.filter(|class| *class != own);
            wrong.nth(attempt).unwrap_or(own)
        };
        self.rows.labels.iter().enumerate().map(of_row).collect()
    }

    /// Where a run starts: at the images, or, after the first, around them.
    fn starts(&self, open: &[usize], attempt: usize, restart: usize) -> Result<Vec<T>> {
        let mut all = Vec::with_capacity(open.len() * self.pixels());
        for row in open {
            let image = self.rows.image(*row);
            if restart == 0 {
                all.extend_from_slice(image);
                continue;
            }
            let (norm, bounds) = (self.fab.norm, self.fab.bounds);
            let range = bounds.map_or(1., |bounds| bounds.max - bounds.min);
            let usual = match norm {
                Norm::LInf => 0.3 * range,
                Norm::L2 => range,
            };
            let radius = self.nearest[*row].distance.min(usual) / 2.;
            let name = format!("fab {attempt} {restart}");
            let mut rng = stream(self.fab.seed, &name, image);
            all.extend(RowBall::new(norm, radius, bounds)?.random(image, &mut rng)?);
        }
        Ok(all)
    }

    /// The gradients of z_target − z_label at each x, and these differences.
    fn planes_towards(&self, run: &Run<T>, targets: &[usize]) -> Result<(Vec<T>, Vec<f64>)> {
        let ends = |place: usize| {
            let row = run.rows[place];
            (targets[row], self.rows.labels[row] as usize)
        };
        let weights = |place: usize, _: &[f64], weights: &mut [f64]| {
            let (target, own) = ends(place);
            weights[target] += 1.;
            weights[own] -= 1.;
        };
        let (logits, planes) = pulled(self.rows.network, &self.rows.form, &run.x, weights)?;
        let excess = (0..run.rows.len()).map(|place| {
            let (target, own) = ends(place);
            logits.row(place)[target] - logits.row(place)[own]
        });
        Ok((planes, excess.collect()))
    }

    /// The same for the class whose plane is nearest to each x.
    fn nearest_planes(&self, run: &Run<T>) -> Result<(Vec<T>, Vec<f64>)> {
        let (logits, gradients) = jacobian(self.rows.network, &self.rows.form, &run.x)?;
        let pixels = self.pixels();
        let (mut planes, mut excess) = (Vec::with_capacity(run.x.len()), Vec::new());
        for (place, row) in run.rows.iter().enumerate() {
            let (logits, own) = (logits.row(place), self.rows.labels[*row] as usize);
            let of = |class: usize| &gradients[class][place * pixels..][..pixels];
            let mut best = (f64::INFINITY, own);
            for class in (0..logits.len()).filter(|class| *class != own) {
                let steepness: f64 = match self.fab.norm {
                    Norm::LInf => (of(class).iter().zip(of(own)))
                        .map(|(a, b)| (a.to_f64() - b.to_f64()).abs())
                        .sum(),
                    Norm::L2 => distance(Norm::L2, of(class), of(own)),
                };
                let far = (logits[class] - logits[own]).abs() / (FLOOR + steepness);
                if far < best.0 {
                    best = (far, class);
                }
            }
            let class = best.1;
            planes.extend(of(class).iter().zip(of(own)).map(|(a, b)| *a - *b));
            excess.push(logits[class] - logits[own]);
        }
        Ok((planes, excess))
    }

    /// Keeps the images that mislead, goes back from them, and ends those that are near enough.
    fn settle(&mut self, run: &mut Run<T>) -> Result<()> {
        let answers = logits(self.rows.network, &self.rows.form, &run.x)?;
        let (pixels, beta) = (self.pixels(), T::from_f64(self.fab.beta));
        // From the last to the first, so that the last takes the place of one that is over.
        for place in (0..run.rows.len()).rev() {
            let row = run.rows[place];
            let (label, logits) = (self.rows.labels[row], answers.row(place));
            if largest(logits) == label {
                continue;
            }
            let (x, image) = (&mut run.x[place * pixels..][..pixels], self.rows.image(row));
            let far = distance(self.fab.norm, x, image);
            self.nearest[row].offer(x, far, (logits, margin(logits, label)));
            if far <= self.enough {
                run.rows.swap_remove(place);
                let last = run.rows.len() * pixels;
                run.x.copy_within(last.., place * pixels);
                run.x.truncate(last);
                continue;
            }
            for (x, image) in x.iter_mut().zip(image) {
                *x = *image + (*x - *image) * beta;
            }
        }
        Ok(())
    }

    /// Looks for the boundary between the images and the nearest ones found, by secants.
    fn search(&mut self, rows: Vec<usize>) -> Result<()> {
        let mut ends: Vec<End<T>> = rows
            .into_iter()
            .map(|row| End {
                row,
                inner: self.rows.image(row).to_vec(),
                logits: self.before.row(row).to_vec(),
            })
            .collect();
        if ends.is_empty() {
            return Ok(());
        }
        for _ in 0..self.fab.search_steps {
            let mut asked = Vec::with_capacity(ends.len() * self.pixels());
            for end in &ends {
                self.secant(end, &mut asked);
            }
            let asked = self.rows.form.rounded(asked)?;
            let answers = logits(self.rows.network, &self.rows.form, &asked)?;
            let images = asked.chunks(self.pixels());
            for (place, (end, x)) in ends.iter_mut().zip(images).enumerate() {
                let (label, logits) = (self.rows.labels[end.row], answers.row(place));
                if largest(logits) == label {
                    end.inner.copy_from_slice(x);
                    end.logits.copy_from_slice(logits);
                } else {
                    let far = distance(self.fab.norm, x, self.rows.image(end.row));
                    self.nearest[end.row].offer(x, far, (logits, margin(logits, label)));
                }
            }
        }
        Ok(())
    }

    /// Adds the point where the difference of both logits would be 0 if it were linear.
    fn secant(&self, end: &End<T>, asked: &mut Vec<T>) {
        let outer = &self.nearest[end.row];
        let own = self.rows.labels[end.row] as usize;
        let other = largest(&outer.logits) as usize;
        let above = end.logits[own] - end.logits[other];
        let below = outer.logits[other] - outer.logits[own];
        let share = above / (above + below + 1e-10);
        let inside = (0. ..=1.).contains(&share);
        let share = T::from_f64(if inside { share } else { 1. });
        let outer = outer.found.image.as_deref().unwrap_or(&end.inner);
        let between = end.inner.iter().zip(outer);
        asked.extend(between.map(|(a, b)| *a + (*b - *a) * share));
    }
}
