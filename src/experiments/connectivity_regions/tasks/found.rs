//! All that the tasks find, put together.

use candle_core::Tensor;

use super::control::Control;
use super::outputs::{answers, graphs_of, layers_of, lipschitz_of, regime_of};
use super::part::{Kind, Parts, RANDOM, RegionsPart};
use crate::datasets::Dataset;
use crate::error::Result;
use crate::experiments::connectivity_cifar10::Space;
use crate::experiments::connectivity_regions::bands::ClassBands;
use crate::experiments::connectivity_regions::compared::Compared;
use crate::experiments::connectivity_regions::cost::Cost;
use crate::experiments::connectivity_regions::further::Further;
use crate::experiments::connectivity_regions::graphs::Graphs;
use crate::experiments::connectivity_regions::isometric::{ByLayer, RegimeNetworks};
use crate::experiments::connectivity_regions::proved::Proved;
use crate::experiments::connectivity_regions::random::{ClassCrossings, RandomSegments};
use crate::experiments::connectivity_regions::weakest::{WeakEdge, WeakEdges};
use crate::experiments::sweep::{Run, Sweep};
use crate::experiments::tasks::Finished;
use crate::models::{LipschitzMlp, Model};
use crate::training::History;

/// All that the tasks of the experiment find.
#[derive(Clone, Debug)]
pub struct Found {
    /// The network's answers to all images, (N,).
    pub answers: Tensor,
    /// The graphs in the pixels, which are checked, after the first stage and in the last layer.
    pub graphs: [Graphs; 3],
    /// Random segments in the pixels and after the first stage.
    pub random: [RandomSegments; 2],
    /// Segments between two classes.
    pub crossings: ClassCrossings,
    /// The graphs of other networks.
    pub compared: Compared,
    /// Other images.
    pub further: Further,
    /// Bands in the pixels and after the first stage.
    pub bands: [ClassBands; 2],
    /// The weakest edges.
    pub weakest: WeakEdges,
    /// The networks on MNIST.
    pub networks: RegimeNetworks,
    /// Their layers.
    pub layers: ByLayer,
    /// How the cost of a graph grows.
    pub growth: Cost,
    /// The 1-Lipschitz network on MNIST, and the history of its training.
    pub lipschitz: (Model<LipschitzMlp>, History),
    /// Segments that are proved.
    pub proved: Proved,
}

/// All that the tasks have found.
///
/// # Errors
/// An output is not there, or is none of this experiment.
pub(super) fn found(parts: &Parts<'_>, images: &Dataset, finished: &Finished<'_>) -> Result<Found> {
    let from = |part: RegionsPart| finished.output(&part);
    let isometric = parts.isometric;
    let graphs = |space| {
        let outputs = parts.graphs(space).map(from);
        graphs_of(images, space, outputs)
    };
    let random = |space| -> Result<RandomSegments> {
        let classes = from(RegionsPart::Random { space })?.read()?;
        Ok(RandomSegments { space, classes })
    };
    let [pixels, first_stage] = RANDOM;
    let mut compared = Compared::default();
    for control in Control::EVERY {
        let rows: Vec<_> = from(RegionsPart::Control { control })?.read()?;
        compared.rows.extend(rows);
    }
    let mut further = Further::default();
    for kind in Kind::EVERY {
        further.push(kind.name(), from(RegionsPart::Kind { kind })?.read()?);
    }
    let bands = |space| from(RegionsPart::Bands { space })?.read::<ClassBands>();
    let (mut networks, mut layers) = (Vec::new(), Vec::new());
    for (at, regime) in isometric.regimes.iter().enumerate() {
        for seed in &isometric.training.seeds {
            let (parameter, seed) = (*regime, *seed);
            let output = from(RegionsPart::Regime { regime: at, seed })?;
            let result = regime_of(&output, isometric, (at, seed))?;
            networks.push(Run {
                parameter,
                seed,
                result,
            });
            let result = layers_of(&from(RegionsPart::Layers { regime: at, seed })?)?;
            layers.push(Run {
                parameter,
                seed,
                result,
            });
        }
    }
    let mut proved = Proved::default();
    for network in 0..=isometric.regimes.len() {
        let own: Proved = from(RegionsPart::Proved { network })?.read()?;
        proved.rows.extend(own.rows);
    }
    let edges = parts.weakest();
    let edges = edges.map(|part| from(part)?.read::<Option<WeakEdge>>());
    let edges = edges.filter_map(Result::transpose).collect::<Result<_>>()?;
    Ok(Found {
        answers: answers(&from, images)?,
        graphs: [
            graphs(Space::Input)?,
            graphs(Space::FirstStage)?,
            graphs(Space::Last)?,
        ],
        random: [random(pixels)?, random(first_stage)?],
        crossings: from(RegionsPart::Crossings)?.read()?,
        compared,
        further,
        bands: [bands(pixels)?, bands(first_stage)?],
        weakest: WeakEdges { edges },
        networks: Sweep { runs: networks },
        layers: ByLayer {
            networks: Sweep { runs: layers },
        },
        growth: from(RegionsPart::Growth)?.read()?,
        lipschitz: lipschitz_of(&from(RegionsPart::Lipschitz)?, isometric)?,
        proved,
    })
}
