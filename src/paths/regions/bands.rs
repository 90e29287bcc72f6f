//! Bands where no segment has joined a component to the largest.

use candle_core::Tensor;

use super::attach::roots_and_largest;
use super::edge::{Edge, EdgeKind};
use super::sampler::Link;
use super::search::{Search, links};
use crate::device;
use crate::distances::nearest::nearest;
use crate::error::Result;
use crate::paths::network_energy::BATCH_SIZE;
use crate::paths::{NebInfo, NebParams, NetworkEnergy, Verdict, neb_shown};
use crate::progress::Bar;

/// A band between each component but the largest and that one, at their nearest pair of points.
pub(super) fn join_by_bands(search: &mut Search, params: &NebParams) -> Result<()> {
    let pairs = nearest_to_largest(search)?;
    if pairs.is_empty() {
        return Ok(());
    }
    let energy = NetworkEnergy {
        network: search.sampler.network.clone(),
        index: search.sampler.index,
        classes: vec![search.class; pairs.len()],
        batch_size: BATCH_SIZE,
    };
    let points = &search.sampler.points;
    let ends = |end: usize| -> Result<Tensor> {
        let rows: Vec<u32> = pairs.iter().map(|link| link.ends[end] as u32).collect();
        device::rows(points, &rows)
    };
    let bands = neb_shown(&energy, &ends(0)?, &ends(1)?, params, search.bar)?;
    for (link, band) in pairs.iter().zip(bands) {
        search.evaluations.values += band.evaluations.values;
        search.evaluations.gradients += band.evaluations.gradients;
        let edge = edge(link, &band);
        match band.verdict {
            Verdict::NoneFound => search.left.push(edge),
            Verdict::Linear | Verdict::Nonlinear => search.join(edge),
        }
    }
    search.begin();
    Ok(())
}

fn nearest_to_largest(search: &mut Search) -> Result<Vec<Link>> {
    let (roots, largest) = roots_and_largest(search);
    let rows: Vec<usize> = (0..roots.len())
        .filter(|point| roots[*point] != largest)
        .collect();
    let excluded = |_, other: usize| roots[other] != largest;
    let points = search.sampler.flat()?;
    let found = nearest(&points, &rows, |_| 1, excluded, &Bar::hidden())?;
    // The first of a component is its shortest.
    let mut done = vec![false; roots.len()];
    done[largest] = true;
    let mut pairs = links(&rows, &found);
    pairs.retain(|link| {
        let mut roots = link.ends.into_iter().map(|end| roots[end]);
        let own = roots.find(|root| *root != largest);
        own.is_some_and(|own| !std::mem::replace(&mut done[own], true))
    });
    Ok(pairs)
}

fn edge(link: &Link, band: &NebInfo) -> Edge {
    let path = &band.after;
    let smaller = |best: (f64, f64), (margin, distance): (&f64, &f64)| {
        if *margin < best.0 {
            (*margin, *distance)
        } else {
            best
        }
    };
    let samples = path.margin.iter().zip(&path.distance);
    let (margin, distance) = samples.fold((f64::INFINITY, 0.), smaller);
    let at = distance / path.length();
    Edge {
        ends: link.ends,
        length: match band.verdict {
            Verdict::NoneFound => link.length,
            Verdict::Linear | Verdict::Nonlinear => path.length(),
        },
        margin,
        at: if at.is_finite() { at } else { 0. },
        kind: EdgeKind::Band,
    }
}
