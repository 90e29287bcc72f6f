//! The layout of the points in the plane: initial positions and optimisation.

use candle_core::{DType, Tensor};

use super::graph::Edge;
use crate::error::Result;
use crate::interrupt;
use crate::progress::Bar;
use crate::rng::Rng;

/// The width of the layout before it is optimised.
pub(super) const WIDTH: f64 = 10.;
/// The deviation of the noise that sets points apart which begin at the same place.
const NOISE: f64 = 1e-4;
/// Rounds of the iteration for the principal components; a start needs no more.
const ROUNDS: usize = 100;
/// Points that each attracted one is pushed from.
const NEGATIVE_SAMPLES: f64 = 5.;
/// The most that a coordinate moves in one step of size 1.
const CLIP: f32 = 4.;
const LEARNING_RATE: f32 = 1.;

/// A point of the plane.
pub(super) type Place = [f32; 2];

/// The first two principal components of `x` (N, D) of f64, each scaled to [0, 10], with a little
/// noise.
pub(super) fn principal_components(x: &Tensor, rng: &mut Rng) -> Result<Vec<Place>> {
    let (n, d) = x.dims2()?;
    let centred = x.broadcast_sub(&x.mean_keepdim(0)?)?;
    let mut axes = rng.normal((d, 2), 0., 1., DType::F64, x.device())?;
    for _ in 0..ROUNDS {
        interrupt::check()?;
        axes = orthonormal(&centred.t()?.matmul(&centred.matmul(&axes)?)?)?;
    }
    let scores = centred.matmul(&axes)?;
    let largest = scores.abs()?.max_all()?.to_scalar::<f64>()?;
    let scores = if largest > 0. {
        (scores * (WIDTH / largest))?
    } else {
        scores
    };
    let scores = (scores + rng.normal((n, 2), 0., NOISE, DType::F64, x.device())?)?;
    let low = scores.min_keepdim(0)?;
    let range = (scores.max_keepdim(0)? - &low)?.maximum(f64::MIN_POSITIVE)?;
    let places = (scores.broadcast_sub(&low)?.broadcast_div(&range)? * WIDTH)?.to_vec2::<f64>()?;
    Ok(places
        .into_iter()
        .map(|place| [place[0] as f32, place[1] as f32])
        .collect())
}

/// Gram and Schmidt's orthonormal basis of two columns; a column without a direction of its own
/// becomes 0.
fn orthonormal(columns: &Tensor) -> Result<Tensor> {
    let unit = |column: Tensor| -> Result<Tensor> {
        let norm = column.sqr()?.sum_all()?.to_scalar::<f64>()?.sqrt();
        Ok(if norm > f64::MIN_POSITIVE {
            (column / norm)?
        } else {
            column.zeros_like()?
        })
    };
    let first = unit(columns.narrow(1, 0, 1)?)?;
    let second = columns.narrow(1, 1, 1)?;
    let along = (&first * &second)?.sum_all()?.to_scalar::<f64>()?;
    let second = unit((second - (&first * along)?)?)?;
    Ok(Tensor::cat(&[first, second], 1)?)
}

/// One edge's turns.
struct Turn {
    from: usize,
    to: usize,
    /// Epochs from one attraction to the next, ≥ 1.
    every: f64,
    next: f64,
    next_negative: f64,
}

/// Stochastic gradient descent on the cross-entropy of the fuzzy sets, one edge after the other:
/// each edge attracts as often as its weight says, and each attracted point is pushed from points
/// drawn at random.
pub(super) fn optimise(
    places: &mut [Place],
    edges: &[Edge],
    (a, b): (f64, f64),
    epochs: usize,
    rng: &mut Rng,
    bar: &Bar,
) -> Result<()> {
    let (a, b) = (a as f32, b as f32);
    let heaviest = edges.iter().map(|edge| edge.2).fold(0., f64::max);
    let turn = |&(from, to, weight): &Edge| {
        let every = heaviest / weight;
        Turn {
            from,
            to,
            every,
            next: every,
            next_negative: every / NEGATIVE_SAMPLES,
        }
    };
    // Edges that would have no turn at all are left out.
    let mut turns: Vec<Turn> = edges
        .iter()
        .filter(|edge| edge.2 * epochs as f64 >= heaviest)
        .map(turn)
        .collect();
    for epoch in 0..epochs {
        interrupt::check()?;
        let step = LEARNING_RATE * (1. - epoch as f32 / epochs as f32);
        let epoch = epoch as f64;
        for turn in &mut turns {
            if turn.next > epoch {
                continue;
            }
            turn.next += turn.every;
            let [head, tail] = [places[turn.from], places[turn.to]];
            let squared = distance_squared(head, tail);
            if squared > 0. {
                let power = squared.powf(b);
                let force = -2. * a * b * power / (squared * (a * power + 1.));
                for axis in 0..2 {
                    let change = step * (force * (head[axis] - tail[axis])).clamp(-CLIP, CLIP);
                    places[turn.from][axis] += change;
                    places[turn.to][axis] -= change;
                }
            }
            let every = turn.every / NEGATIVE_SAMPLES;
            let count = ((epoch - turn.next_negative) / every).floor().max(0.);
            turn.next_negative += count * every;
            for _ in 0..count as usize {
                let other = places[rng.below(places.len())?];
                let head = &mut places[turn.from];
                let squared = distance_squared(*head, other);
                // The point itself, or one that lies on it: no direction to be pushed in.
                if squared == 0. {
                    continue;
                }
                let force = 2. * b / ((0.001 + squared) * (a * squared.powf(b) + 1.));
                for axis in 0..2 {
                    head[axis] += step * (force * (head[axis] - other[axis])).clamp(-CLIP, CLIP);
                }
            }
        }
        bar.add(1.);
    }
    Ok(())
}

fn distance_squared(a: Place, b: Place) -> f32 {
    (a[0] - b[0]).powi(2) + (a[1] - b[1]).powi(2)
}
