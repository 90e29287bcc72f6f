//! The *connectivity* paper's experiment on CIFAR-10: section 4, table 1.
//!
//! Pairs of test images of one class that the network gives that class ([`choose_pairs`]); for each
//! space a verdict on every pair ([`connect`]); the numbers ([`Results`], [`Summary`]).

mod misled;
mod pairs;
mod results;

use std::sync::{Mutex, PoisonError};

use candle_core::{DType, Tensor};
use serde::{Deserialize, Serialize};

use crate::checks::Bounds;
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::experiments::cifar10;
use crate::metrics::probabilities_from;
use crate::models::{Network, Representation, ResNet, enlarge, evaluation};
use crate::paths::{
    Energy, Evaluations, NebInfo, NebParams, NetworkEnergy, Optimizer, Outcome, Profile, Spacing,
    Values, Verdict, neb,
};
use crate::progress::{Part, Progress};
use crate::scale::Scale;

pub use misled::{Misled, mislead};
pub use pairs::{Pair, choose_misclassified_pairs, choose_pairs};
pub use results::{
    Agreement, Counts, Evidence, Normalisation, PairResult, Results, SpaceSummary, Summary, counts,
};

/// Where a path runs: section 4's three spaces.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Space {
    /// Pixels in [0, 1].
    Input,
    /// The output of the first residual stage, the paper's "first hidden layer".
    FirstStage,
    /// The pooled features, the paper's "last layer".
    Last,
}

impl Space {
    /// In the order of the network.
    pub const ALL: [Self; 3] = [Self::Input, Self::FirstStage, Self::Last];

    /// The representation of a [`ResNet`] that the space's points are.
    pub fn representation(self) -> Representation {
        match self {
            Self::Input => Representation::Input,
            Self::FirstStage => ResNet::FIRST_RESIDUAL_STAGE,
            Self::Last => ResNet::POOLED,
        }
    }

    /// The points of images (N, 3, H, W) in this space.
    ///
    /// # Errors
    /// Images that the network does not take.
    pub fn of(self, network: &dyn Network, images: &Tensor) -> Result<Tensor> {
        self.representation().of(network, images)
    }

    /// `input`, `first_stage` or `last`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Input => "input",
            Self::FirstStage => "first_stage",
            Self::Last => "last",
        }
    }
}

/// What is run. The paper gives 25 pairs and no number of its band; all other values are ours.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Settings {
    /// Pairs in each space, at least 1; the first 25 are the ones to hold against table 1.
    pub pairs: usize,
    /// Pairs with a misclassified image, and pairs of [misled](mislead) images, in each space, at
    /// least 1.
    pub other_pairs: usize,
    /// ε of the attack that [misleads](mislead) images, in pixels.
    pub eps: f64,
    /// Decides the pairs.
    pub seed: u64,
    /// Height and width of the network's inputs; smaller images are [enlarged](enlarge).
    pub side: usize,
    /// P, the pivots of a band.
    pub pivots: usize,
    /// Samples of the dense check on each of the P + 1 segments, of line and path alike.
    pub samples_per_segment: usize,
    /// k, the constant of the springs.
    pub spring_constant: f64,
    /// η of Adam in pixels, in the first stage's and in the pooled features.
    pub step_sizes: [f64; 3],
    /// Iterations after which a band gives up.
    pub max_iterations: usize,
    /// Bands relaxed together.
    pub bands_at_once: usize,
    /// Points that go through the network together; bounds the memory.
    pub batch_size: usize,
    /// [`connect`] keeps the whole path of so many pairs, from the first on, for figures; 200 paths
    /// in a hidden space are half a gigabyte.
    pub kept_paths: usize,
    /// Whether moving lines show how far the experiment has come.
    #[serde(skip)]
    pub progress: Progress,
}

impl Settings {
    /// `quick`: 25 pairs. `default`: 200 pairs. `paper`: 1,000 pairs, and twice as many samples.
    pub fn of(scale: Scale) -> Self {
        Self {
            pairs: scale.pick(25, 200, 1_000),
            other_pairs: scale.pick(5, 50, 200),
            eps: 8. / 255.,
            seed: 0,
            side: cifar10::Settings::of(scale).side,
            pivots: 8,
            samples_per_segment: scale.pick(5, 5, 10),
            spring_constant: 1.,
            step_sizes: [0.01, 0.02, 0.02],
            max_iterations: scale.pick(30, 100, 200),
            bands_at_once: scale.pick(10, 20, 8),
            batch_size: 16,
            kept_paths: 25,
            progress: Progress::default(),
        }
    }

    /// The band's parameters in a space; only pixels are bounded.
    pub fn neb(&self, space: Space) -> NebParams {
        let [input, first_stage, last] = self.step_sizes;
        let (step_size, bounds) = match space {
            Space::Input => (input, Some(Bounds::default())),
            Space::FirstStage => (first_stage, None),
            Space::Last => (last, None),
        };
        NebParams {
            pivots: self.pivots,
            spacing: Spacing::Springs {
                constant: self.spring_constant,
            },
            optimizer: Optimizer::Adam { step_size },
            max_iterations: self.max_iterations,
            samples_per_segment: self.samples_per_segment,
            bounds,
            bands_at_once: self.bands_at_once,
            ..NebParams::default()
        }
    }
}

/// What was found for a pair in a space.
#[derive(Clone, Debug)]
pub struct Connection {
    /// The pair.
    pub pair: Pair,
    /// The space.
    pub space: Space,
    /// Table 1's rows.
    pub verdict: Verdict,
    /// Why the band stopped.
    pub outcome: Outcome,
    /// Steps of the band; 0 for a linear connection.
    pub iterations: usize,
    /// Points that went through the network.
    pub evaluations: Evaluations,
    /// The straight line: energies (cross-entropy), margins (logits).
    pub line: Profile,
    /// The path; the line itself for a linear connection.
    pub path: Profile,
    /// How far the path leaves the line, Euclidean ([`NebInfo::departure`]); 0 to rounding for a
    /// linear connection.
    pub departure: f64,
    /// The largest change of a coordinate (of a colour of a pixel, in input space) between the
    /// path's points and those of the line beside them.
    pub largest_change: f64,
    /// The points of the path, for the first [`Settings::kept_paths`] pairs.
    pub info: Option<NebInfo>,
}

impl Connection {
    /// The length of the path over that of the line, ≥ 1 to rounding.
    pub fn length_ratio(&self) -> f64 {
        self.path.length() / self.line.length()
    }
}

/// A verdict on every pair in `space`, in the order of the pairs.
///
/// `data` holds the images (N, 3, H, W) in [0, 1] that the pairs' indices count; `network` has the
/// stages of a [`ResNet`].
///
/// # Errors
/// A network in training mode, no pairs, an index or a class that there is not, a setting out of
/// its range, a pair whose ends the network does not both give the pair's class, or images that it
/// does not take.
///
/// Paper: *connectivity*, sections 3 and 4.
pub fn connect(
    network: &dyn Network,
    data: &Dataset,
    pairs: &[Pair],
    space: Space,
    settings: &Settings,
) -> Result<Vec<Connection>> {
    if pairs.is_empty() {
        return Err(Error::argument("pairs", "at least one", "none"));
    }
    let network = evaluation(network)?;
    let network = network.as_ref();
    let params = settings.neb(space);
    params.validate()?;
    let bar = settings.progress.bar(space.name()).of(pairs.len(), "pairs");
    let mut found: Vec<Connection> = Vec::with_capacity(pairs.len());
    for group in pairs.chunks(params.bands_at_once) {
        let [starts, ends] = ends(data, group, settings)?;
        let (starts, ends) = (space.of(network, &starts)?, space.of(network, &ends)?);
        let classes: Vec<u32> = group.iter().map(|pair| pair.class).collect();
        let energy = NetworkEnergy {
            batch_size: settings.batch_size,
            ..NetworkEnergy::new(network, space.representation(), &classes)?
        };
        let part = Mutex::new((bar.part_of(group.len()), 0));
        let energy = Counted {
            energy: &energy,
            part: &part,
            evaluations: params.max_iterations + 1,
        };
        for (pair, info) in group.iter().zip(neb(&energy, &starts, &ends, &params)?) {
            let keep = found.len() < settings.kept_paths;
            found.push(Connection {
                pair: *pair,
                space,
                verdict: info.verdict,
                outcome: info.outcome,
                iterations: info.iterations,
                evaluations: info.evaluations,
                line: info.before.clone(),
                path: info.after.clone(),
                departure: info.departure()?,
                largest_change: largest_change(&info)?,
                info: keep.then_some(info),
            });
        }
        let Counts {
            linear,
            nonlinear,
            none,
        } = counts(&found);
        let (part, _) = part.into_inner().unwrap_or_else(PoisonError::into_inner);
        part.finish(format!(
            "{linear} linear, {nonlinear} nonlinear, {none} none"
        ));
    }
    Ok(found)
}

/// An energy that moves a bar: a band asks for its gradients once in each iteration.
struct Counted<'a, 'bar> {
    energy: &'a NetworkEnergy,
    /// The part, and how often gradients were asked for.
    part: &'a Mutex<(Part<'bar>, usize)>,
    /// How often they are asked for at most.
    evaluations: usize,
}

impl Energy for Counted<'_, '_> {
    fn values(&self, points: &Tensor, bands: &[usize]) -> Result<Values> {
        self.energy.values(points, bands)
    }

    fn values_and_gradients(&self, points: &Tensor, bands: &[usize]) -> Result<(Values, Tensor)> {
        let found = self.energy.values_and_gradients(points, bands)?;
        let (part, seen) = &mut *self.part.lock().unwrap_or_else(PoisonError::into_inner);
        *seen += 1;
        part.set(*seen as f64 / self.evaluations as f64);
        Ok(found)
    }
}

fn largest_change(info: &NebInfo) -> Result<f64> {
    let change = (&info.path - info.line()?)?.abs()?.flatten_all()?.max(0)?;
    Ok(change.to_dtype(DType::F64)?.to_scalar()?)
}

/// The first and the second image of every pair, each (pairs, 3, H, W), [enlarged](enlarge) to
/// [`Settings::side`].
///
/// # Errors
/// No pairs, an index that there is not, or images that are not (N, 3, H, W) or larger than that.
pub fn ends(data: &Dataset, pairs: &[Pair], settings: &Settings) -> Result<[Tensor; 2]> {
    let images = &data.inputs;
    let count = images.dims().first().copied().unwrap_or(0);
    let select = |end: usize| {
        let index = |pair: &Pair| match pair.test_index[end] {
            index if index < count => Ok(index as u32),
            index => Err(Error::argument(
                "test_index",
                format!("below {count}, the number of images"),
                index,
            )),
        };
        let rows = pairs.iter().map(index).collect::<Result<Vec<u32>>>()?;
        enlarge(
            &images.index_select(&Tensor::new(rows, images.device())?, 0)?,
            settings.side,
        )
    };
    Ok([select(0)?, select(1)?])
}

/// What the network says to points (N, …) of a space: the softmax of each, a probability for each
/// class.
///
/// # Errors
/// The network is in training mode, or does not take the points.
///
/// Paper: *connectivity*, figures 2 and 3, the bars.
pub fn probabilities(
    network: &dyn Network,
    space: Space,
    points: &Tensor,
) -> Result<Vec<Vec<f64>>> {
    let found = probabilities_from(network, space.representation(), points)?;
    Ok(found.to_dtype(DType::F64)?.to_vec2()?)
}
