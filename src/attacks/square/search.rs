//! The random search of the Square attack, for many images at a time.

use super::Square;
use super::window::{Grid, Window, hills, share, side};
use crate::attacks::apart::{Found, Rows};
use crate::attacks::goal::Norm;
use crate::attacks::pull::{largest, logits, margin, two_classes};
use crate::attacks::rows::Pixel;
use crate::error::Result;
use crate::rng::Rng;

/// The floor under a norm that is divided by, the reference implementation's.
const FLOOR: f64 = 1e-12;

/// Images that are asked about together at most, where few searches are left: a product of few rows
/// takes as long as one of many.
const TOGETHER: usize = 128;
/// Windows that are tried at once around one image, as long as none of them is better.
const AHEAD: usize = 16;

/// One search in the ball of radius `eps` around each image of `rows`.
pub(super) struct Search<'a, T> {
    pub square: &'a Square,
    pub rows: &'a Rows<'a, T>,
    pub grid: Grid,
    pub eps: f64,
    /// The smallest and largest value of a pixel.
    limits: [T; 2],
    /// What an L2 attack writes into a window, by its side.
    hills: Vec<Option<Vec<f64>>>,
}

/// The search around one image.
pub(super) struct Walk<T> {
    pub row: usize,
    pub rng: Rng,
    /// The best image so far, and its loss.
    pub best: Vec<T>,
    pub loss: f64,
    /// Where the image now asked differs from the best.
    pub window: Window,
    pub queries: usize,
    pub misled: bool,
}

impl<'a, T: Pixel> Search<'a, T> {
    pub fn new(square: &'a Square, rows: &'a Rows<'a, T>, grid: Grid, eps: f64) -> Self {
        let bounds = square.bounds.map(|bounds| [bounds.min, bounds.max]);
        Self {
            square,
            rows,
            grid,
            eps,
            limits: bounds
                .unwrap_or([f64::NEG_INFINITY, f64::INFINITY])
                .map(T::from_f64),
            hills: vec![None; grid.shorter() + 1],
        }
    }

    /// What the search finds around each image.
    ///
    /// # Errors
    /// The network refuses an image, or the user stops the run.
    pub fn run(mut self) -> Result<Vec<Found<T>>> {
        let Rows { labels, .. } = self.rows;
        let before = logits(self.rows.network, &self.rows.form, &self.rows.images)?;
        two_classes(before.classes())?;
        let mut found: Vec<Found<T>> = labels
            .iter()
            .enumerate()
            .map(|(row, label)| Found::unchanged(-margin(before.row(row), *label)))
            .collect();
        if self.eps == 0. {
            return Ok(found);
        }
        let right = (0..labels.len()).filter(|row| largest(before.row(*row)) == labels[*row]);
        let mut walks: Vec<Walk<T>> = right.map(|row| self.start(row)).collect();
        let mut asked: Vec<T> = walks.iter().flat_map(|walk| &walk.best).copied().collect();
        self.ask(&mut walks, &asked, &[], &mut found)?;
        while !walks.is_empty() {
            let ahead = (TOGETHER / walks.len()).clamp(1, AHEAD);
            let mut after = Vec::with_capacity(walks.len() * ahead);
            asked.clear();
            for walk in &mut walks {
                let queries = walk.queries;
                for _ in 0..ahead {
                    let begin = asked.len();
                    asked.extend_from_slice(&walk.best);
                    self.propose(walk, &mut asked[begin..])?;
                    after.push(walk.rng.clone());
                    walk.queries += 1;
                }
                walk.queries = queries;
            }
            self.ask(&mut walks, &asked, &after, &mut found)?;
        }
        Ok(found)
    }

    pub(super) fn pixels(&self) -> usize {
        self.rows.form.pixels()
    }

    /// Asks the network about the next images of each search, one after another until one is better
    /// than the best: those behind it were made of what is the best no longer. Ends the searches that
    /// are over. `after` has the generator after each image; none for the first images of all.
    fn ask(
        &self,
        walks: &mut Vec<Walk<T>>,
        asked: &[T],
        after: &[Rng],
        found: &mut [Found<T>],
    ) -> Result<()> {
        if walks.is_empty() {
            return Ok(());
        }
        let answers = logits(self.rows.network, &self.rows.form, asked)?;
        let pixels = self.pixels();
        let ahead = asked.len() / pixels / walks.len();
        // From the last to the first, so that the last takes the place of one that is over.
        for place in (0..walks.len()).rev() {
            let walk = &mut walks[place];
            for at in place * ahead..(place + 1) * ahead {
                let is_better = self.settle(walk, &asked[at * pixels..][..pixels], answers.row(at));
                walk.queries += 1;
                if walk.misled || walk.queries > self.square.queries {
                    let walk = walks.swap_remove(place);
                    found[walk.row].loss_after = walk.loss;
                    found[walk.row].evaluations = walk.queries;
                    found[walk.row].image = Some(walk.best);
                    break;
                }
                if let Some(rng) = after.get(at).filter(|_| is_better) {
                    walk.rng = rng.clone();
                    break;
                }
            }
        }
        Ok(())
    }

    /// Whether the image is better than the best: then it is kept.
    fn settle(&self, walk: &mut Walk<T>, image: &[T], logits: &[f64]) -> bool {
        let label = self.rows.labels[walk.row];
        let loss = -margin(logits, label);
        walk.misled = largest(logits) != label;
        let is_better = walk.queries == 0 || walk.misled || loss > walk.loss;
        if is_better {
            walk.loss = loss;
            walk.best.copy_from_slice(image);
        }
        is_better
    }

    /// x ± ε inside the limits.
    pub(super) fn moved(&self, x: T, up: bool) -> T {
        let (eps, [lowest, highest]) = (T::from_f64(self.eps), self.limits);
        match up {
            true if x + eps > highest => highest,
            true => x + eps,
            false if x - eps < lowest => lowest,
            false => x - eps,
        }
    }

    /// [`hills`], or what they are on their side, each equally likely.
    pub(super) fn turned(&mut self, side: usize, rng: &mut Rng) -> Vec<f64> {
        let upright = self.hills[side].get_or_insert_with(|| hills(side));
        match heads(rng) {
            true => upright.clone(),
            false => (0..side * side)
                .map(|at| upright[at % side * side + at / side])
                .collect(),
        }
    }

    /// x + δ, with δ as long as the radius, inside the limits.
    pub(super) fn write(&self, row: usize, delta: &[f64], image: &mut [T]) {
        let length = delta.iter().map(|delta| delta * delta).sum::<f64>().sqrt();
        let scale = self.eps / (length + FLOOR);
        let [lowest, highest] = self.limits;
        let x = self.rows.image(row);
        for ((pixel, x), delta) in image.iter_mut().zip(x).zip(delta) {
            let moved = T::from_f64(x.to_f64() + delta * scale);
            *pixel = match moved {
                low if low < lowest => lowest,
                high if high > highest => highest,
                inside => inside,
            };
        }
    }

    /// Writes the next image to ask about: the best with one window changed.
    fn propose(&mut self, walk: &mut Walk<T>, image: &mut [T]) -> Result<()> {
        let Square {
            p_init,
            queries,
            norm,
            ..
        } = *self.square;
        let share = share(p_init, walk.queries - 1, queries);
        let side = side(self.grid, share, norm == Norm::L2);
        walk.window = self.anywhere(side, &mut walk.rng)?;
        match norm {
            Norm::LInf => self.raise(walk, image),
            Norm::L2 => self.gather(walk, image)?,
        }
        Ok(())
    }

    fn anywhere(&self, side: usize, rng: &mut Rng) -> Result<Window> {
        Ok(Window {
            top: rng.below(self.grid.height - side + 1)?,
            left: rng.below(self.grid.width - side + 1)?,
            side,
        })
    }

    /// Each channel of the window moved to x + ε or to x − ε.
    fn raise(&self, walk: &mut Walk<T>, image: &mut [T]) {
        let plane = self.grid.plane();
        let x = self.rows.image(walk.row);
        for (image, x) in image.chunks_mut(plane).zip(x.chunks(plane)) {
            let up = heads(&mut walk.rng);
            for line in self.grid.lines(walk.window) {
                for (pixel, x) in image[line.clone()].iter_mut().zip(&x[line]) {
                    *pixel = self.moved(*x, up);
                }
            }
        }
    }

    /// Takes the change of a second window away and spends its length, and what is left of ε, on
    /// hills in the first.
    fn gather(&mut self, walk: &mut Walk<T>, image: &mut [T]) -> Result<()> {
        let side = walk.window.side;
        let other = self.anywhere(side, &mut walk.rng)?;
        let hills = self.turned(side, &mut walk.rng);
        let x = self.rows.image(walk.row);
        let mut delta: Vec<f64> = (walk.best.iter().zip(x))
            .map(|(best, x)| best.to_f64() - x.to_f64())
            .collect();
        let spent: f64 = delta.iter().map(|delta| delta * delta).sum();
        let unspent = (self.eps * self.eps - spent).max(0.) / self.grid.channels as f64;
        for delta in delta.chunks_mut(self.grid.plane()) {
            let squares = |delta: &[f64], window| -> f64 {
                let lines = self.grid.lines(window);
                lines
                    .flat_map(|line| &delta[line])
                    .map(|delta| delta * delta)
                    .sum()
            };
            let own = squares(delta, walk.window);
            let old: Vec<f64> = (self.grid.lines(walk.window))
                .flat_map(|line| &delta[line])
                .copied()
                .collect();
            let empty = |delta: &mut [f64], window| {
                for line in self.grid.lines(window) {
                    delta[line].fill(0.);
                }
            };
            empty(delta, walk.window);
            let apart = squares(delta, other);
            empty(delta, other);
            let sign = if heads(&mut walk.rng) { 1. } else { -1. };
            let floor = own.sqrt() + FLOOR;
            let new: Vec<f64> = (hills.iter().zip(&old))
                .map(|(hill, old)| sign * hill + old / floor)
                .collect();
            let length = new.iter().map(|new| new * new).sum::<f64>().sqrt();
            let scale = (own + apart + unspent).sqrt() / (length + FLOOR);
            for (line, new) in self.grid.lines(walk.window).zip(new.chunks(side)) {
                for (delta, new) in delta[line].iter_mut().zip(new) {
                    *delta = new * scale;
                }
            }
        }
        self.write(walk.row, &delta, image);
        Ok(())
    }
}

/// A coin's throw.
pub(super) fn heads(rng: &mut Rng) -> bool {
    rng.bits() & 1 == 1
}
