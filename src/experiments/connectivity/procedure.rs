//! The procedure: from two inputs, or a data set, to verdicts.

use std::sync::{Mutex, PoisonError};

use candle_core::{DType, Tensor};

use super::connection::largest_change;
use super::{Connection, Connections, Counts, Pairs, Shown, choose_pairs};
use crate::checks::Bounds;
use crate::datasets::Dataset;
use crate::error::{Error, Result};
use crate::metrics::{Answer, predictions, probabilities_from};
use crate::models::{Enlarged, Network, Representation, evaluation};
use crate::paths::{Energy, EnergyValues, NebInfo, NebParams, NetworkEnergy, neb_shown};
use crate::progress::{Bar, Part, Progress};

/// The parameters of the search for connections: how pairs are chosen and connected.
#[derive(Clone, Debug, PartialEq)]
pub struct ConnectParams {
    /// The parameters of the band. Where its bounds are `None`, paths in input space stay in [0, 1]
    /// if all of the data lie there, as images do; those through other inputs, or through hidden
    /// representations, are free.
    pub neb: NebParams,
    /// The seed by which pairs are chosen; 0 by default.
    pub seed: u64,
    /// The height and width to which images are enlarged first; `None`, the default, leaves them.
    pub side: Option<usize>,
    /// The number of points that go through the network together, at least 1; bounds the memory. 16
    /// by default.
    pub batch_size: usize,
    /// The number of paths whose points are kept for figures, from the first pair on; 200 paths in
    /// a hidden space are half a gigabyte. 25 by default.
    pub kept_paths: usize,
    /// Whether a progress bar shows how far the work has come.
    pub progress: Progress,
}

impl Default for ConnectParams {
    fn default() -> Self {
        Self {
            neb: NebParams::default(),
            seed: 0,
            side: None,
            batch_size: 16,
            kept_paths: 25,
            progress: Progress::default(),
        }
    }
}

/// Connects two inputs of one class by a path that the network keeps in that class, if it finds
/// one: the straight line if that is one, else a nudged elastic band.
///
/// ```text
/// line   z(t) = (1 − t) z₁ + t z₂,   0 ≤ t ≤ 1,   z = f_{0:l}(x)
/// band   neb with the energy E(z) = −log softmax(f_{l:L}(z))_y
/// ```
///
/// y is the class, and [`neb`](crate::paths::neb()) moves the band. The result shows itself as a
/// filmstrip of images in input space, and as the energy along line and band elsewhere.
///
/// - **Shapes**: `pair` holds two inputs (2, …) of one class.
/// - **Range**: the verdict is linear, nonlinear or none.
/// - **Source**: *connectivity*, section 3.
///
/// # Errors
///
/// Not two inputs of one class, one that the network gives another class, a representation that the
/// network does not have, or a parameter out of its range.
///
/// # Examples
///
/// ```
/// use isopath::prelude::*;
///
/// let rings = datasets::entangled_rings(&RingsParams { points: 40, ..RingsParams::default() })?.dataset()?;
/// let network = Model::new(0, |vb| Mlp::new(&[3, 20, 2], Activation::Tanh, vb))?;
/// train(&network, &rings, &CrossEntropy, &TrainParams { epochs: 300, ..TrainParams::default() })?;
/// let pair = correctly_classified(&network, &rings.of_class("ring A")?)?.first(2)?;
/// let connection = connect(&network, &pair, Representation::LastHidden, &ConnectParams::default())?;
/// assert_eq!(connection.verdict, paths::Verdict::Linear);
/// # Ok::<(), isopath::Error>(())
/// ```
pub fn connect(
    network: &dyn Network,
    pair: &Dataset,
    representation: Representation,
    params: &ConnectParams,
) -> Result<Connection> {
    let pairs = Pairs::of_two(pair)?;
    let network = evaluation(network)?;
    check_answers(network.as_ref(), &pairs, params)?;
    let params = ConnectParams {
        kept_paths: 1,
        ..params.clone()
    };
    let mut found = connect_pairs(network.as_ref(), &pairs, representation, &params)?;
    let one = found.connections.pop();
    one.ok_or_else(|| Error::argument("pair", "two inputs of one class", "none"))
}

/// Connects many pairs of inputs of one class: how many by a straight line, how many only by a
/// band, and for how many no path is found.
///
/// It is one column of the *connectivity* paper's table 1, with Wilson's 95 % intervals. The pairs
/// are `count` of those that the network gets right; [`choose_pairs`] says which. The result shows
/// itself as a table.
///
/// - **Shapes**: inputs (N, …) as the network takes them, labels (N,) of u32; a connection for each
///   pair.
/// - **Range**: each verdict is linear, nonlinear or none.
/// - **Source**: *connectivity*, section 4, table 1.
///
/// # Errors
///
/// Fewer pairs than that, inputs that the network does not take, a representation that it does not
/// have, or a parameter out of its range.
pub fn connectivity(
    network: &dyn Network,
    data: &Dataset,
    representation: Representation,
    count: usize,
    params: &ConnectParams,
) -> Result<Connections> {
    let network = evaluation(network)?;
    let answers = match params.side {
        Some(side) => {
            let network = network.clone();
            predictions(&Enlarged { network, side }, &data.inputs)?
        }
        None => predictions(network.as_ref(), &data.inputs)?,
    };
    let pairs = choose_pairs(data, &[&answers], count, params.seed)?;
    connect_pairs(network.as_ref(), &pairs, representation, params)
}

/// Connects every one of some chosen pairs, and gives the connections in their order.
///
/// - **Shapes**: a connection for each pair.
/// - **Range**: each verdict is linear, nonlinear or none.
/// - **Source**: *connectivity*, sections 3 and 4.
///
/// # Errors
///
/// No pairs, an index or a class that there is not, a pair whose ends the network does not both
/// give the pair's class, inputs that it does not take, a representation that it does not have, or
/// a parameter out of its range.
pub fn connect_pairs(
    network: &dyn Network,
    pairs: &Pairs,
    representation: Representation,
    params: &ConnectParams,
) -> Result<Connections> {
    let network = evaluation(network)?;
    let network = network.as_ref();
    let index = representation.index(network.stages())?;
    let neb_params = NebParams {
        bounds: match params.neb.bounds {
            None if index == 0 => pixel_bounds(&pairs.data.inputs)?,
            given => given,
        },
        ..params.neb
    };
    neb_params.validate()?;
    if pairs.is_empty() {
        return Err(Error::argument("pairs", "at least one", "none"));
    }
    let label = label(representation, index);
    let bar = params.progress.bar(&label).of(pairs.len(), "pairs");
    let mut connections: Vec<Connection> = Vec::with_capacity(pairs.len());
    for group in pairs.pairs.chunks(neb_params.batch_size) {
        let ends = Pairs::ends_of(&pairs.data, group, params.side)?;
        let [starts, ends] = &ends;
        let starts = representation.of(network, starts)?;
        let ends = representation.of(network, ends)?;
        let classes: Vec<u32> = group.iter().map(|pair| pair.class).collect();
        let energy = NetworkEnergy {
            batch_size: params.batch_size,
            ..NetworkEnergy::new(network, representation, &classes)?
        };
        let energy = Counted {
            energy,
            part: Mutex::new((bar.part_of(group.len()), 0)),
            evaluations: neb_params.max_iterations + 1,
        };
        let quiet = Bar::hidden();
        let bands = neb_shown(&energy, &starts, &ends, &neb_params, &quiet)?;
        for (pair, info) in group.iter().zip(bands) {
            let keep = connections.len() < params.kept_paths;
            connections.push(Connection {
                pair: *pair,
                representation,
                verdict: info.verdict,
                outcome: info.outcome,
                iterations: info.iterations,
                evaluations: info.evaluations,
                line: info.before.clone(),
                path: info.after.clone(),
                departure: info.departure()?,
                largest_change: largest_change(&info)?,
                classes: pairs.data.classes.clone(),
                shown: match keep {
                    true => Some(shown(network, representation, info)?),
                    false => None,
                },
            });
        }
        let (part, _) = energy
            .part
            .into_inner()
            .unwrap_or_else(PoisonError::into_inner);
        part.finish(Counts::of(&connections).to_string());
    }
    Ok(Connections {
        representation,
        connections,
    })
}

/// [0, 1] if all numbers lie there.
fn pixel_bounds(inputs: &Tensor) -> Result<Option<Bounds>> {
    let bounds = Bounds::default();
    Ok(bounds.exceeded_by(inputs)?.is_none().then_some(bounds))
}

/// Path and line with the network's answers.
fn shown(network: &dyn Network, representation: Representation, info: NebInfo) -> Result<Shown> {
    let said = |points: &Tensor| -> Result<Vec<Vec<f64>>> {
        let found = probabilities_from(network, representation, points)?;
        Ok(found.to_dtype(DType::F64)?.to_vec2()?)
    };
    Ok(Shown {
        on_line: said(&info.line()?)?,
        on_path: said(&info.path)?,
        info,
    })
}

/// # Errors
/// The network gives an end another class than its label.
fn check_answers(network: &dyn Network, pairs: &Pairs, params: &ConnectParams) -> Result<()> {
    let [starts, ends] = Pairs::ends_of(&pairs.data, &pairs.pairs, params.side)?;
    for (place, end) in [("first", starts), ("second", ends)] {
        let answers = Answer::of(&network.forward(&end)?)?;
        for (answer, pair) in answers.iter().zip(&pairs.pairs) {
            if answer.class != pair.class {
                let name = |class| pairs.data.class_name(class);
                let got = format!("{} for the {place} input", name(answer.class));
                let expected = format!(
                    "{}, its label; choose two inputs that the network classifies correctly",
                    name(pair.class)
                );
                return Err(Error::argument("the network's answer", expected, got));
            }
        }
    }
    Ok(())
}

/// A representation as a progress bar names it.
fn label(representation: Representation, index: usize) -> String {
    match representation {
        Representation::Input => "input".into(),
        Representation::Logits => "logits".into(),
        Representation::Stage(_) | Representation::LastHidden => format!("representation {index}"),
    }
}

/// An energy that moves a bar: a band asks for its gradients once in each iteration.
struct Counted<'bar> {
    energy: NetworkEnergy,
    /// The part, and how often gradients were asked for.
    part: Mutex<(Part<'bar>, usize)>,
    /// How often they are asked for at most.
    evaluations: usize,
}

impl Energy for Counted<'_> {
    fn values(&self, points: &Tensor, bands: &[usize]) -> Result<EnergyValues> {
        self.energy.values(points, bands)
    }

    fn values_and_gradients(
        &self,
        points: &Tensor,
        bands: &[usize],
    ) -> Result<(EnergyValues, Tensor)> {
        let found = self.energy.values_and_gradients(points, bands)?;
        let (part, seen) = &mut *self.part.lock().unwrap_or_else(PoisonError::into_inner);
        *seen += 1;
        part.set(*seen as f64 / self.evaluations as f64);
        Ok(found)
    }
}
