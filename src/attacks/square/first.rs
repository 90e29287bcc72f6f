//! The first image of a search.

use super::search::{Search, Walk, heads};
use super::window::{Grid, Window};
use crate::attacks::goal::Norm;
use crate::attacks::rows::{Pixel, stream};
use crate::rng::Rng;

impl<T: Pixel> Search<'_, T> {
    /// The first image of a search: stripes in L∞, tiles in L2.
    pub(super) fn start(&mut self, row: usize) -> Walk<T> {
        let mut rng = stream(self.square.seed, "square", self.rows.image(row));
        let best = match self.square.norm {
            Norm::LInf => self.stripes(row, &mut rng),
            Norm::L2 => self.tiles(row, &mut rng),
        };
        Walk {
            row,
            rng,
            best,
            loss: f64::NEG_INFINITY,
            window: Window::default(),
            queries: 0,
            misled: false,
        }
    }

    /// Each column of each channel moved by ±ε.
    fn stripes(&self, row: usize, rng: &mut Rng) -> Vec<T> {
        let (x, width) = (self.rows.image(row), self.grid.width);
        let mut image = x.to_vec();
        let planes = image.chunks_mut(self.grid.plane());
        for (plane, x) in planes.zip(x.chunks(self.grid.plane())) {
            let up: Vec<bool> = (0..width).map(|_| heads(rng)).collect();
            for (line, x) in plane.chunks_mut(width).zip(x.chunks(width)) {
                for ((pixel, x), up) in line.iter_mut().zip(x).zip(&up) {
                    *pixel = self.moved(*x, *up);
                }
            }
        }
        image
    }

    /// Hills of either sign side by side over the whole image.
    fn tiles(&mut self, row: usize, rng: &mut Rng) -> Vec<T> {
        let Grid { height, width, .. } = self.grid;
        let side = (self.grid.shorter() / 5).max(1);
        let (down, across) = (height / side, width / side);
        let (top, left) = ((height - down * side) / 2, (width - across * side) / 2);
        let mut delta = vec![0.; self.pixels()];
        for tile in 0..down * across {
            let window = Window {
                top: top + tile / across * side,
                left: left + tile % across * side,
                side,
            };
            let hills = self.turned(side, rng);
            for plane in delta.chunks_mut(self.grid.plane()) {
                let sign = if heads(rng) { 1. } else { -1. };
                for (line, hills) in self.grid.lines(window).zip(hills.chunks(side)) {
                    for (delta, hill) in plane[line].iter_mut().zip(hills) {
                        *delta = sign * hill;
                    }
                }
            }
        }
        let mut image = self.rows.image(row).to_vec();
        self.write(row, &delta, &mut image);
        image
    }
}
