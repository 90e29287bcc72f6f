//! The logits of a network, and the gradient of a weighted sum of them.

use candle_core::{DType, Tensor, Var};

use super::rows::{Form, Pixel, asked, values};
use crate::checks;
use crate::error::{Error, Result};
use crate::interrupt;
use crate::models::Network;

/// The logits of some images, on the host.
pub(super) struct Logits {
    /// z_ic, image after image.
    values: Vec<f64>,
    classes: usize,
}

impl Logits {
    /// Those of image `row`.
    pub fn row(&self, row: usize) -> &[f64] {
        &self.values[row * self.classes..][..self.classes]
    }

    pub fn classes(&self) -> usize {
        self.classes
    }

    fn of(logits: &Tensor, rows: usize) -> Result<Self> {
        let classes = match logits.dims() {
            [n, classes] if *n == rows && *classes > 0 => *classes,
            dims => {
                let expected = format!("({rows}, classes)");
                return Err(Error::shape("attack", "logits", expected, dims));
            }
        };
        checks::finite("logits", "numbers", logits)?;
        let values = logits.detach().to_dtype(DType::F64)?.flatten_all()?;
        Ok(Self {
            values: values.to_vec1()?,
            classes,
        })
    }
}

/// The label of the largest logit, the first of equal ones.
pub(super) fn largest(logits: &[f64]) -> u32 {
    let mut best = 0;
    for (class, logit) in logits.iter().enumerate() {
        if *logit > logits[best] {
            best = class;
        }
    }
    best as u32
}

/// The largest logit of the classes other than `label`, with its class.
pub(super) fn runner_up(logits: &[f64], label: u32) -> (usize, f64) {
    let others = logits.iter().copied().enumerate();
    others.filter(|(class, _)| *class != label as usize).fold(
        (0, f64::NEG_INFINITY),
        |best, found| {
            if found.1 > best.1 { found } else { best }
        },
    )
}

/// How far the logit of `label` is above all others: z_y − max_{c≠y} z_c.
pub(super) fn margin(logits: &[f64], label: u32) -> f64 {
    logits[label as usize] - runner_up(logits, label).1
}

/// # Errors
/// Fewer than two classes, among which no answer can be wrong.
pub(super) fn two_classes(classes: usize) -> Result<()> {
    match classes {
        0 | 1 => {
            let expected = "at least 2, or no answer can be wrong";
            Err(Error::argument("number of classes", expected, classes))
        }
        _ => Ok(()),
    }
}

/// The logits of the images in `values`.
///
/// # Errors
/// The network refuses them, its logits are not (N, classes) or not finite, or the user stops the run.
pub(super) fn logits<T: Pixel>(network: &dyn Network, form: &Form, images: &[T]) -> Result<Logits> {
    interrupt::check()?;
    let images = form.tensor(images)?;
    Logits::of(&asked(network, &images)?, images.dim(0)?)
}

/// The logits z of the images, and for each image the gradient of Σ_c w_c z_c, where `weights` gives
/// w: it gets the row, its logits, and a row of zeros to fill.
///
/// ```text
/// g_i = Σ_c w_ic ∇ₓ z_ic
/// ```
///
/// With w = ∂L/∂z this is the gradient of a loss of the logits, one for each image.
///
/// # Errors
/// As [`logits`]; a gradient that is missing or not finite.
pub(super) fn pulled<T: Pixel>(
    network: &dyn Network,
    form: &Form,
    images: &[T],
    mut weights: impl FnMut(usize, &[f64], &mut [f64]),
) -> Result<(Logits, Vec<T>)> {
    interrupt::check()?;
    let x = Var::from_tensor(&form.tensor(images)?)?;
    let rows = x.dim(0)?;
    let z = asked(network, x.as_tensor())?;
    let known = Logits::of(&z, rows)?;
    let mut all = vec![0.; rows * known.classes];
    for (row, weights_of_row) in all.chunks_mut(known.classes).enumerate() {
        weights(row, known.row(row), weights_of_row);
    }
    let all = Tensor::from_vec(all, (rows, known.classes), z.device())?.to_dtype(z.dtype())?;
    let gradient = gradient(&(z * all)?.sum_all()?, &x)?;
    Ok((known, values(&gradient)?))
}

/// The logits z of the images, and the gradients ∇ₓ z_c of each of them: those of one class after
/// those of another.
///
/// # Errors
/// As [`pulled`].
pub(super) fn jacobian<T: Pixel>(
    network: &dyn Network,
    form: &Form,
    images: &[T],
) -> Result<(Logits, Vec<Vec<T>>)> {
    interrupt::check()?;
    let x = Var::from_tensor(&form.tensor(images)?)?;
    let z = asked(network, x.as_tensor())?;
    let known = Logits::of(&z, x.dim(0)?)?;
    let of_class = |class| {
        let sum = z.narrow(1, class, 1)?.sum_all()?;
        values(&gradient(&sum, &x)?)
    };
    let all: Result<_> = (0..known.classes).map(of_class).collect();
    Ok((known, all?))
}

fn gradient(sum: &Tensor, x: &Var) -> Result<Tensor> {
    let Some(gradient) = sum.backward()?.remove(x.as_tensor()) else {
        let expected = "a network whose logits follow from its input by differentiable operations";
        return Err(Error::argument("gradient", expected, "missing"));
    };
    // sign() would silently turn NaN and infinity into 0 and ±1.
    checks::finite("gradient", "numbers in every pixel", &gradient)?;
    Ok(gradient)
}
