//! The nearest image that misleads, as a search of minimal norm finds it.

use super::apart::Found;

/// What is known of one image.
pub(super) struct Nearest<T> {
    /// The nearest image that misleads, with the loss there; none before one is found, and none
    /// where the image itself misleads.
    pub found: Found<T>,
    /// Its distance: ∞ before one is found, 0 where the image itself misleads.
    pub distance: f64,
    /// The logits there.
    pub logits: Vec<f64>,
}

impl<T: Clone> Nearest<T> {
    /// Before the search, of an image with this margin.
    pub fn new(margin: f64, right: bool) -> Self {
        Self {
            found: Found::unchanged(-margin),
            distance: if right { f64::INFINITY } else { 0. },
            logits: Vec::new(),
        }
    }

    /// Keeps an image that misleads if it is nearer.
    pub fn offer(&mut self, image: &[T], distance: f64, (logits, margin): (&[f64], f64)) {
        if distance < self.distance {
            self.distance = distance;
            self.found.image = Some(image.to_vec());
            self.found.loss_after = -margin;
            self.logits = logits.to_vec();
        }
    }

    /// The result of an attack in the ball of radius `eps`.
    pub fn within(self, eps: f64) -> Found<T> {
        match self.distance <= eps {
            true => self.found,
            false => Found {
                image: None,
                loss_after: self.found.loss_before,
                ..self.found
            },
        }
    }
}
