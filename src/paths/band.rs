//! The vector algebra of nudged elastic bands, as pure functions of rows.
//!
//! A batch of B bands is one tensor (B, N, D): N points of D numbers each, the first and the last
//! the ends of the band, the P = N − 2 between them its pivots.

use candle_core::{D, DType, Tensor};

use crate::device;
use crate::error::{Error, Result};
use crate::ops::{PivotForce, band_forces, band_lengths, band_points};

/// Straight bands between given ends.
///
/// ```text
/// z_i = (1 − t) a + t b,   t = i/(P + 1),   i = 0 … P + 1;  the ends are exactly a and b
/// ```
///
/// - **Shapes**: `starts` a and `ends` b (B, D); gives (B, P + 2, D).
/// - **Range**: between the ends.
/// - **Source**: *connectivity*, section 3: the linear interpolation that a band begins with.
///
/// # Errors
/// Not two matrices of one shape.
pub fn straight(starts: &Tensor, ends: &Tensor, pivots: usize) -> Result<Tensor> {
    if starts.rank() != 2 || starts.dims() != ends.dims() {
        return Err(Error::shape(
            "straight",
            "ends",
            format!("{:?} as starts, (B, D)", starts.dims()),
            ends.dims(),
        ));
    }
    let (starts, ends) = (starts.unsqueeze(1)?, ends.unsqueeze(1)?);
    let mut rows = vec![starts.clone()];
    for pivot in 1..=pivots {
        let t = pivot as f64 / (pivots + 1) as f64;
        rows.push(((&starts * (1. - t))? + (&ends * t)?)?);
    }
    rows.push(ends);
    Ok(Tensor::cat(&rows, 1)?)
}

/// The points at a share `t` of every segment.
///
/// ```text
/// (1 − t) z_i + t z_{i+1}
/// ```
///
/// - **Shapes**: `path` (B, N, D); gives (B, N − 1, D).
/// - **Range**: `t` in [0, 1].
/// - **Source**: the definition.
///
/// # Errors
/// No (B, N, D) with N ≥ 2.
pub fn between(path: &Tensor, t: f64) -> Result<Tensor> {
    let (bands, points, _) = dims(path)?;
    let segments = (0..points - 1).map(|segment| (segment, t));
    band_points(path, &segments.collect::<Vec<_>>().repeat(bands))
}

/// The segments of paths, as vectors.
///
/// ```text
/// z_{i+1} − z_i
/// ```
///
/// - **Shapes**: `path` (B, N, D); gives (B, N − 1, D).
/// - **Range**: any.
/// - **Source**: the definition.
///
/// # Errors
/// No (B, N, D) with N ≥ 2.
pub fn segments(path: &Tensor) -> Result<Tensor> {
    let segments = dims(path)?.1 - 1;
    Ok((path.narrow(1, 1, segments)? - path.narrow(1, 0, segments)?)?)
}

/// The lengths of the segments, band by band.
///
/// ```text
/// ‖z_{i+1} − z_i‖₂
/// ```
///
/// - **Shapes**: `path` (B, N, D); gives B lists of N − 1 numbers.
/// - **Range**: ≥ 0, in the unit of the points.
/// - **Source**: the definition.
///
/// # Errors
/// No (B, N, D) with N ≥ 2.
pub fn lengths(path: &Tensor) -> Result<Vec<Vec<f64>>> {
    Ok(band_lengths(path)?.to_dtype(DType::F64)?.to_vec2()?)
}

/// The weights of the segments before and after a pivot in the tangent of a band.
///
/// ```text
/// E_{i−1} < E_i < E_{i+1}:  (0, 1)        E_{i−1} > E_i > E_{i+1}:  (1, 0)
/// else, with a = |E_{i−1} − E_i| and b = |E_{i+1} − E_i|:
/// E_{i+1} > E_{i−1}:  (min(a, b), max(a, b)) / max(a, b)       otherwise:  (max(a, b), min(a, b)) / max(a, b)
/// ```
///
/// - **Shapes**: three numbers give two.
/// - **Range**: weights in [0, 1], the larger one 1.
/// - **Source**: Henkelman & Jónsson 2000, equations 8 to 11.
///
/// Along a slope only the segment to the higher neighbour counts; at an extremum both do, by the
/// energy differences to the neighbours, which makes the tangent continuous. Where all three energies
/// are equal, as a confident network's are to rounding, both count alike: the source leaves that
/// open.
pub fn tangent_weights(before: f64, own: f64, after: f64) -> (f64, f64) {
    if after > own && own > before {
        return (0., 1.);
    }
    if after < own && own < before {
        return (1., 0.);
    }
    let (down, up) = ((before - own).abs(), (after - own).abs());
    let (least, most) = (down.min(up), down.max(up));
    if !(most > 0. && most.is_finite()) {
        return (1., 1.);
    }
    // Equal neighbours have equal differences: either order is the same.
    if after > before {
        (least / most, 1.)
    } else {
        (1., least / most)
    }
}

/// The unit tangents of bands at their pivots.
///
/// ```text
/// τ_i = w⁻ (z_i − z_{i−1}) + w⁺ (z_{i+1} − z_i), divided by its length;  (w⁻, w⁺) from tangent_weights
/// ```
///
/// - **Shapes**: `segments` (B, N − 1, D) from [`segments`], `energies` of all B·N points, band by
///   band; gives (B, P, D).
/// - **Range**: rows of length 1, or 0 where a pivot's neighbours lie on it.
/// - **Source**: Henkelman & Jónsson 2000, equations 8 to 11.
///
/// # Errors
/// Shapes that do not fit, or another number of energies.
pub fn tangents(segments: &Tensor, energies: &[f64]) -> Result<Tensor> {
    let (bands, count, _) = dims(segments)?;
    if energies.len() != bands * (count + 1) {
        return Err(Error::argument(
            "energies",
            format!("{} of them", bands * (count + 1)),
            energies.len(),
        ));
    }
    let (down, up): (Vec<f64>, Vec<f64>) = energies
        .chunks(count + 1)
        .flat_map(|band| band.windows(3).map(|e| tangent_weights(e[0], e[1], e[2])))
        .unzip();
    let shape = (bands, count - 1, 1);
    let down = segments
        .narrow(1, 0, count - 1)?
        .broadcast_mul(&numbers(down, shape, segments)?)?;
    let up = segments
        .narrow(1, 1, count - 1)?
        .broadcast_mul(&numbers(up, shape, segments)?)?;
    let tangents = (down + up)?;
    // The floor keeps 0 at 0, and is below every norm that f32 squares and sums.
    Ok(tangents.broadcast_div(&norms(&tangents)?.maximum(1e-30)?)?)
}

/// The nudged forces on the pivots of bands, springs and climbing image among them.
///
/// ```text
/// F_i = −∇E + (∇E · τ) τ + k (‖z_{i+1} − z_i‖ − ‖z_i − z_{i−1}‖) τ      the pivots of a band
/// F_i = −∇E + 2 (∇E · τ) τ                                             its highest one, if it climbs
/// ```
///
/// - **Shapes**: `path` (B, N, D), `energies` of its B·N points, `gradients` (B, P, D) at the
///   pivots; gives (B, P, D).
/// - **Range**: any.
/// - **Source**: Henkelman & Jónsson 2000, equations 3, 4 and 12; the climbing image: Henkelman,
///   Uberuaga & Jónsson 2000, equation 5.
///
/// τ is the pivot's unit [tangent](tangents). `spring` is k; `None` leaves the springs out, and the
/// climbing with them, for bands that are [redistributed](redistribute).
///
/// # Errors
/// Shapes that do not fit.
pub fn forces(
    path: &Tensor,
    energies: &[f64],
    gradients: &Tensor,
    spring: Option<f64>,
    climbing: bool,
) -> Result<Tensor> {
    let (bands, points, width) = dims(path)?;
    if points < 3 || gradients.dims() != [bands, points - 2, width] {
        return Err(Error::shape(
            "forces",
            "gradients",
            "(B, P, D), a row for each pivot",
            gradients.dims(),
        ));
    }
    if energies.len() != bands * points {
        return Err(Error::argument(
            "energies",
            format!("{} of them", bands * points),
            energies.len(),
        ));
    }
    let pivots = energies.chunks(points).flat_map(|energies| {
        let highest = highest(energies);
        energies.windows(3).enumerate().map(move |(pivot, e)| {
            let (before, after) = tangent_weights(e[0], e[1], e[2]);
            let climbs = climbing && spring.is_some() && pivot == highest;
            PivotForce {
                before,
                after,
                along: if climbs { 2. } else { 1. },
                stretch: spring.filter(|_| !climbs).unwrap_or(0.),
            }
        })
    });
    band_forces(path, gradients, &pivots.collect::<Vec<_>>())
}

/// The highest pivot of a band, counted from 0; the first of equals.
fn highest(energies: &[f64]) -> usize {
    let pivots = energies[1..energies.len() - 1].iter().enumerate();
    let higher = |best: (usize, f64), (at, e): (usize, &f64)| {
        if *e > best.1 { (at, *e) } else { best }
    };
    pivots.fold((0, f64::NEG_INFINITY), higher).0
}

/// The end, 0 or the last point, that no other point of a band lies above, if there is one and not
/// all points are equally high.
pub(super) fn highest_end(energies: &[f64]) -> Option<usize> {
    let largest = energies.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let is_flat = energies.iter().all(|energy| *energy == largest);
    let is_highest = |end: &usize| energies.get(*end) == Some(&largest);
    let ends = [0, energies.len().saturating_sub(1)];
    ends.into_iter().find(is_highest).filter(|_| !is_flat)
}

/// Bands whose pivots are moved along their polyline to equal distances in arc length; the ends stay.
///
/// ```text
/// z_i ← the point of the polyline at arc length i/(P + 1) of the whole,  i = 1 … P
/// ```
///
/// - **Shapes**: (B, N, D) gives the same.
/// - **Range**: any.
/// - **Source**: Draxler et al. 2018, section 3.1, in place of springs.
///
/// # Errors
/// No (B, N, D) with N ≥ 2.
pub fn redistribute(path: &Tensor) -> Result<Tensor> {
    let points = dims(path)?.1;
    let mut places = Vec::new();
    for lengths in lengths(path)? {
        let total: f64 = lengths.iter().sum();
        let (mut segment, mut behind) = (0, 0.);
        places.push((0, 0.));
        for pivot in 1..points - 1 {
            let wanted = total * pivot as f64 / (points - 1) as f64;
            while segment + 2 < points && behind + lengths[segment] < wanted {
                behind += lengths[segment];
                segment += 1;
            }
            let t = (wanted - behind) / lengths[segment];
            places.push((segment, if t.is_finite() { t.clamp(0., 1.) } else { 0. }));
        }
        places.push((points - 2, 1.));
    }
    band_points(path, &places)
}

/// ‖row‖₂ along the last axis, which becomes 1.
fn norms(rows: &Tensor) -> Result<Tensor> {
    Ok(rows.sqr()?.sum_keepdim(D::Minus1)?.sqrt()?)
}

/// Numbers from the host, of the dtype and on the device of `like`.
fn numbers(values: Vec<f64>, shape: (usize, usize, usize), like: &Tensor) -> Result<Tensor> {
    Ok(Tensor::from_vec(values, shape, &candle_core::Device::Cpu)?
        .to_dtype(like.dtype())?
        .to_device(like.device())?)
}

/// Some of the rows along the first axis; no copy where all are kept.
pub(super) fn rows(tensor: &Tensor, kept: &[usize]) -> Result<Tensor> {
    if kept.len() == tensor.dim(0)? && kept.iter().enumerate().all(|(at, row)| at == *row) {
        return Ok(tensor.clone());
    }
    let index: Vec<u32> = kept.iter().map(|row| *row as u32).collect();
    device::rows(tensor, &index)
}

/// B, N ≥ 2 and D.
fn dims(path: &Tensor) -> Result<(usize, usize, usize)> {
    match *path.dims() {
        [bands, points, width] if points >= 2 => Ok((bands, points, width)),
        _ => Err(Error::shape(
            "band",
            "path",
            "(B, N, D), N at least 2",
            path.dims(),
        )),
    }
}
