//! Segments between random images of a class, and of two classes.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::{Deserialize, Serialize};

use super::graphs::Vertices;
use super::settings::Settings;
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::experiments::connectivity_cifar10::Space;
use crate::models::Network;
use crate::paths::regions::{Segments, crossings, segments_shown};
use crate::rng::Rng;
use crate::statistics::Proportion;

/// Segments between random images of each class.
#[derive(Clone, Debug)]
pub struct RandomSegments {
    /// The space that the segments run through.
    pub space: Space,
    /// The segments of each class that has two vertices.
    pub classes: BTreeMap<u32, Segments>,
}

/// A number of segments that hold, with its 95 % interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// The number of all segments.
    pub pairs: f64,
    /// The estimated number of those that hold.
    pub holding: f64,
    /// The lower end of the interval.
    pub low: f64,
    /// The upper end of the interval.
    pub high: f64,
}

/// Writes the estimate in millions, if there are so many.
impl fmt::Display for Estimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (unit, word) = if self.pairs < 1e6 {
            (1., "")
        } else {
            (1e6, " million")
        };
        let [holding, low, high, pairs] =
            [self.holding, self.low, self.high, self.pairs].map(|n| n / unit);
        write!(
            f,
            "{holding:.2} ({low:.2}–{high:.2}) of {pairs:.2}{word} segments"
        )
    }
}

impl RandomSegments {
    /// All segments.
    pub fn all(&self) -> Segments {
        let classes = self.classes.values();
        Segments {
            segments: classes
                .clone()
                .flat_map(|own| own.segments.clone())
                .collect(),
            evaluations: classes.map(|own| own.evaluations).sum(),
        }
    }

    /// How many of all segments between vertices of one class hold, estimated from those that were
    /// tested.
    ///
    /// ```text
    /// Σ_c p_c N_c (N_c − 1)/2  ±  1.96 √(Σ_c (N_c (N_c − 1)/2)² p_c (1 − p_c) / n_c)
    /// ```
    ///
    /// p_c is the share of the n_c tested segments of class c that hold, N_c its number of vertices.
    pub fn estimate(&self, vertices: &Vertices) -> Estimate {
        let (mut pairs, mut holding, mut variance) = (0., 0., 0.);
        for (class, segments) in &self.classes {
            let n = vertices.get(class).map_or(0, Vec::len) as f64;
            let (all, share) = (n * (n - 1.) / 2., segments.share());
            pairs += all;
            holding += all * share.share;
            variance += all * all * share.share * (1. - share.share) / share.of as f64;
        }
        let width = 1.959_963_984_540_054 * variance.sqrt();
        Estimate {
            pairs,
            holding,
            low: holding - width,
            high: (holding + width).min(pairs),
        }
    }

    /// The lengths of all segments.
    pub fn lengths(&self) -> Vec<f64> {
        let all = self.classes.values().flat_map(|own| &own.segments);
        all.map(|segment| segment.edge.length).collect()
    }
}

/// Tests the segments between random pairs of each class's vertices, up to
/// [`Settings::random_pairs`] different ones.
///
/// # Errors
/// An index that there is not, no class with two vertices, or what [`segments`](crate::paths::regions::segments) refuses.
pub fn random_segments(
    network: &dyn Network,
    data: &Dataset,
    vertices: &Vertices,
    space: Space,
    settings: &Settings,
) -> Result<RandomSegments> {
    let representation = space.representation();
    let rng = Rng::new(settings.seed).stream("random segments");
    let mut classes = BTreeMap::new();
    let mut all = Vec::new();
    for (class, images) in vertices {
        let pairs = random_pairs(images.len(), settings.random_pairs, &rng, *class)?;
        if !pairs.is_empty() {
            all.push((*class, images, pairs));
        }
    }
    let count = all.iter().map(|(_, _, pairs)| pairs.len()).sum();
    let bar = settings.bar(&format!("random segments, {}", space.title()));
    let bar = bar.of(count, "segments");
    for (class, images, pairs) in all {
        // Only what the pairs name goes through the network.
        let mut used = pairs.concat();
        used.sort_unstable();
        used.dedup();
        let rows: Vec<usize> = used.iter().map(|vertex| images[*vertex]).collect();
        let points = representation.of(network, &data.select(&rows)?.inputs)?;
        let place = |vertex| used.binary_search(&vertex).unwrap_or_default();
        let pairs: Vec<[usize; 2]> = pairs.iter().map(|pair| pair.map(place)).collect();
        let told = (settings.samples, &bar);
        let found = segments_shown(network, representation, &points, &pairs, told)?;
        classes.insert(class, found);
    }
    if classes.is_empty() {
        let expected = "a class with at least two";
        return Err(Error::argument("vertices", expected, "none"));
    }
    Ok(RandomSegments { space, classes })
}

/// Up to `count` different pairs of `n` vertices, the smaller number first.
pub(super) fn random_pairs(
    n: usize,
    count: usize,
    rng: &Rng,
    class: u32,
) -> Result<Vec<[usize; 2]>> {
    let all = n * n.saturating_sub(1) / 2;
    if all <= count {
        let of = |i| (i + 1..n).map(move |j| [i, j]);
        return Ok((0..n).flat_map(of).collect());
    }
    let mut rng = rng.stream(format!("class {class}"));
    let mut pairs = BTreeSet::new();
    while pairs.len() < count {
        let [i, j] = [rng.below(n)?, rng.below(n)?];
        if i != j {
            pairs.insert([i.min(j), i.max(j)]);
        }
    }
    Ok(pairs.into_iter().collect())
}

/// How the answer changes along segments between the vertices of two classes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClassCrossings {
    /// The classes, in order.
    pub classes: Vec<u32>,
    /// For each two classes, the smaller one first, the share of segments with exactly one change.
    pub single: Vec<(u32, u32, Proportion)>,
    /// The number of segments with 1, 2, 3, … changes.
    pub changes: BTreeMap<usize, usize>,
}

/// Follows the answers along segments between random vertices of every two classes,
/// [`Settings::crossing_pairs`] for each two.
///
/// # Errors
/// An index that there is not, fewer than two classes, or what [`crossings`] refuses.
pub fn class_crossings(
    network: &dyn Network,
    data: &Dataset,
    vertices: &Vertices,
    space: Space,
    settings: &Settings,
) -> Result<ClassCrossings> {
    let representation = space.representation();
    let rng = Rng::new(settings.seed).stream("class crossings");
    let classes: Vec<u32> = vertices.keys().copied().collect();
    let (mut single, mut changes) = (Vec::new(), BTreeMap::new());
    for (at, first) in classes.iter().enumerate() {
        for second in &classes[at + 1..] {
            let mut rng = rng.stream(format!("classes {first} and {second}"));
            let mut rows = Vec::new();
            for _ in 0..settings.crossing_pairs {
                for images in [first, second].map(|class| &vertices[class]) {
                    rows.push(images[rng.below(images.len())?]);
                }
            }
            let points = representation.of(network, &data.select(&rows)?.inputs)?;
            let pairs: Vec<[usize; 2]> = (0..settings.crossing_pairs)
                .map(|pair| [2 * pair, 2 * pair + 1])
                .collect();
            let found = crossings(network, representation, &points, &pairs, settings.samples)?;
            let ones = found.iter().filter(|segment| segment.count() == 1).count();
            single.push((*first, *second, Proportion::new(ones, found.len())));
            for segment in found {
                *changes.entry(segment.count()).or_default() += 1;
            }
        }
    }
    if single.is_empty() {
        let expected = "at least two that have a vertex";
        return Err(Error::argument("classes", expected, classes.len()));
    }
    Ok(ClassCrossings {
        classes,
        single,
        changes,
    })
}
