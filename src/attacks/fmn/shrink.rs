//! The steps of FMN, for many images at a time.

use std::f64::consts::PI;

use super::Fmn;
use crate::attacks::apart::Rows;
use crate::attacks::goal::Norm;
use crate::attacks::nearest::Nearest;
use crate::attacks::pull::{largest, logits, margin, pulled, runner_up, two_classes};
use crate::attacks::row_ball::{RowBall, norm};
use crate::attacks::rows::{Pixel, distance};
use crate::error::Result;

/// The floor under a norm that is divided by, foolbox's.
const FLOOR: f64 = 1e-12;
/// What the change of the ball falls to, foolbox's.
const LAST_GAMMA: f64 = 0.001;

/// The ball around one image.
struct Ball {
    row: usize,
    eps: f64,
    /// The distance of the farthest corner of the bounds.
    largest: f64,
}

/// The nearest image found for each of `rows`.
///
/// # Errors
/// The network refuses an image, has one class or no gradient, or the user stops the run.
pub(super) fn shrink<T: Pixel>(fmn: &Fmn, rows: &Rows<T>) -> Result<Vec<Nearest<T>>> {
    let before = logits(rows.network, &rows.form, &rows.images)?;
    two_classes(before.classes())?;
    let mut nearest = Vec::new();
    let mut balls = Vec::new();
    for (row, label) in rows.labels.iter().enumerate() {
        let right = largest(before.row(row)) == *label;
        nearest.push(Nearest::new(margin(before.row(row), *label), right));
        if right {
            balls.push(Ball {
                row,
                eps: f64::INFINITY,
                largest: farthest(fmn, rows.image(row)),
            });
        }
    }
    let images = balls.iter().flat_map(|ball| rows.image(ball.row));
    let mut x: Vec<T> = images.copied().collect();
    for step in 0..fmn.steps {
        if balls.is_empty() {
            break;
        }
        let weights = |place: usize, logits: &[f64], weights: &mut [f64]| {
            let label = rows.labels[balls[place].row];
            weights[runner_up(logits, label).0] += 1.;
            weights[label as usize] -= 1.;
        };
        let (answers, gradients) = pulled(rows.network, &rows.form, &x, weights)?;
        let done = step as f64 / fmn.steps as f64;
        let cosine = (1. + (PI * done).cos()) / 2.;
        let alpha = fmn.alpha / 100. + (fmn.alpha - fmn.alpha / 100.) * cosine;
        let gamma = LAST_GAMMA + (fmn.gamma - LAST_GAMMA) * cosine;
        let pixels = rows.form.pixels();
        let points = x.chunks_mut(pixels).zip(gradients.chunks(pixels));
        for (place, (ball, (x, gradient))) in balls.iter_mut().zip(points).enumerate() {
            let (label, image) = (rows.labels[ball.row], rows.image(ball.row));
            let known = &mut nearest[ball.row];
            let (logits, far) = (answers.row(place), distance(fmn.norm, x, image));
            let margin = margin(logits, label);
            let steepness = dual(fmn.norm, gradient);
            known.found.evaluations += 1;
            if step == 0 {
                known.found.zero_gradient = steepness == 0.;
            }
            if largest(logits) != label {
                known.offer(x, far, (logits, margin));
                ball.eps = (ball.eps * (1. - gamma)).min(known.distance);
            } else if known.found.image.is_some() {
                ball.eps *= 1. + gamma;
            } else if 2 * step < fmn.steps {
                let way = match steepness > 0. {
                    true => margin.abs() / steepness,
                    false => f64::INFINITY,
                };
                ball.eps = far + way;
            } else {
                ball.eps *= 1. + fmn.gamma;
            }
            ball.eps = ball.eps.min(ball.largest);
            let scale = T::from_f64(alpha / norm(gradient.iter().copied()).max(FLOOR));
            for (x, g) in x.iter_mut().zip(gradient) {
                *x += *g * scale;
            }
            RowBall::new(fmn.norm, ball.eps, fmn.bounds)?.project(image, x);
        }
        x = rows.form.rounded(x)?;
    }
    Ok(nearest)
}

/// The distance from `image` to the farthest corner of the bounds.
fn farthest<T: Pixel>(fmn: &Fmn, image: &[T]) -> f64 {
    let Some(bounds) = fmn.bounds else {
        return f64::INFINITY;
    };
    let ways = image.iter().map(|x| {
        let x = x.to_f64();
        (x - bounds.min).max(bounds.max - x)
    });
    match fmn.norm {
        Norm::LInf => ways.fold(0., f64::max),
        Norm::L2 => ways.map(|way| way * way).sum::<f64>().sqrt(),
    }
}

/// The norm of a gradient that is dual to the norm of a step.
fn dual<T: Pixel>(of: Norm, gradient: &[T]) -> f64 {
    match of {
        Norm::LInf => gradient.iter().map(|g| g.to_f64().abs()).sum(),
        Norm::L2 => norm(gradient.iter().copied()),
    }
}
