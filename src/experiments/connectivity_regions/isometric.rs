//! Are classes easier to join in networks that keep distances?

use ndarray::Array2;
use serde::Serialize;

use super::graphs::right_ones;
use super::random::random_pairs;
use super::settings::{IsometricSettings, Regime};
use crate::datasets::{Dataset, Split};
use crate::error::{Error, Result};
use crate::experiments::isometry_mnist::{self, Trained, train_network};
use crate::experiments::sweep::{Run, Sweep, cases};
use crate::figures::{Figure, LineChart, Panels, Series, Table, drawn, plus_minus};
use crate::lipschitz::{MarginGroup, by_margin, neighbor_ratios};
use crate::metrics::predictions;
use crate::models::{Network as _, Representation};
use crate::paths::regions::{regions, segments};
use crate::progress::Progress;
use crate::rng::Rng;
use crate::training::{Status, in_parallel};

/// The networks of every regime and seed.
pub type RegimeNetworks = Sweep<Regime, Trained>;

/// Trains a network on MNIST for every regime and seed, side by side.
///
/// # Errors
/// No regime, no seed, or an error of [`train_network`].
pub fn train_regimes(data: &Split, settings: &IsometricSettings) -> Result<RegimeNetworks> {
    let training = &settings.training;
    let cases = cases(&settings.regimes, &training.seeds)?;
    let words = |regime: &Regime, trained: &Trained| {
        format!("{regime}: test accuracy {:.4}", trained.test_accuracy)
    };
    Sweep::train(
        &cases,
        &training.progress,
        words,
        |regime, seed, observer| train_regime(data, settings, *regime, seed, observer),
    )
}

/// Trains the network of one regime and seed.
pub(super) fn train_regime(
    data: &Split,
    settings: &IsometricSettings,
    regime: Regime,
    seed: u64,
    observer: &mut dyn FnMut(&Status),
) -> Result<Trained> {
    let of_regime = isometry_mnist::Settings {
        partition: regime.partition,
        ..settings.training.clone()
    };
    train_network(data, &of_regime, regime.beta, seed, observer)
}

/// The regions of one network's classes in one of its layers.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LayerRegions {
    /// The number of the representation: 0 the pixels, l the output of l layers.
    pub layer: usize,
    /// The share of segments between random pairs of a class that hold.
    pub random: f64,
    /// The number of tests over that of edges, all classes together.
    pub tests_per_edge: f64,
    /// The number of components over that of classes.
    pub components_per_class: f64,
    /// The mean over the classes of the largest number of edges between two vertices.
    pub hops: f64,
    /// The median of |ln(r / r̃)| over pairs of neighbours in a class, r the ratio of their distance
    /// in the layer to that of their pixels, r̃ its median: 0 where the layer keeps all distances up
    /// to one factor. Near the boundary: of the quarter of the images with the smallest margins.
    pub distortion_near: f64,
    /// The same for the quarter of the images with the largest margins.
    pub distortion_far: f64,
}

/// [`LayerRegions`] of every layer, for every regime and seed.
#[derive(Clone, Debug)]
pub struct ByLayer {
    /// The layers of each network, from the pixels to the last hidden layer.
    pub networks: Sweep<Regime, Vec<LayerRegions>>,
}

drawn!(ByLayer);

/// Looks at the regions of every network in every layer, the networks side by side.
///
/// # Errors
/// No test image, or what [`regions`] and [`segments`] refuse.
pub fn by_layer(
    networks: &RegimeNetworks,
    test: &Dataset,
    settings: &IsometricSettings,
) -> Result<ByLayer> {
    let test = test.first(settings.test_images)?;
    let bar = settings.training.progress.bar("regions by layer");
    let bar = bar.of(networks.runs.len(), "networks");
    let runs = in_parallel(&networks.runs, |run| {
        let result = of_network(&run.result, &test, settings)?;
        bar.add(1.);
        Ok(Run {
            parameter: run.parameter,
            seed: run.seed,
            result,
        })
    })?;
    Ok(ByLayer {
        networks: Sweep { runs },
    })
}

pub(super) fn of_network(
    trained: &Trained,
    test: &Dataset,
    settings: &IsometricSettings,
) -> Result<Vec<LayerRegions>> {
    let network = trained.network.freeze()?;
    let vertices = right_ones(test, &predictions(&network, &test.inputs)?)?;
    let rng = Rng::new(settings.seed).stream("random pairs");
    let params = settings.params(Progress::Hidden);
    let mut layers = Vec::new();
    for layer in 0..network.stages() {
        let representation = Representation::Stage(layer);
        let (mut held, mut tested, mut tests, mut edges) = (0, 0, 0, 0);
        let (mut components, mut hops) = (0, 0);
        let mut ratios: Vec<(f64, f64)> = Vec::new();
        for (class, images) in &vertices {
            let inputs = test.select(images)?.inputs;
            let points = representation.of(&network, &inputs)?;
            let found = regions(&network, representation, &points, *class, &params)?;
            tests += found.tests;
            edges += found.edges.len();
            components += found.components.len();
            hops += found.diameter(0).map_or(0, |diameter| diameter.hops);
            let pairs = random_pairs(images.len(), settings.random_pairs, &rng, *class)?;
            if pairs.is_empty() {
                continue;
            }
            let random = segments(&network, representation, &points, &pairs, settings.samples)?;
            held += random.share().count;
            tested += random.share().of;
            let own = neighbor_ratios(&inputs, &points, NEIGHBORS)?.into_iter();
            ratios.extend(own.map(|(at, ratio)| (found.margins[at], ratio)));
        }
        let [near, far] = distortions(&ratios)?;
        layers.push(LayerRegions {
            layer,
            random: held as f64 / tested as f64,
            tests_per_edge: tests as f64 / edges as f64,
            components_per_class: components as f64 / vertices.len() as f64,
            hops: hops as f64 / vertices.len() as f64,
            distortion_near: near,
            distortion_far: far,
        });
    }
    Ok(layers)
}

/// Neighbours of each point in the pixels whose distances are compared.
const NEIGHBORS: usize = 5;

/// The distortion of the quarter of the pairs with the smallest margins, and with the largest.
fn distortions(ratios: &[(f64, f64)]) -> Result<[f64; 2]> {
    let groups = by_margin(ratios, 4)?;
    let of = |group: Option<&MarginGroup>| group.map_or(f64::NAN, |group| group.distortion);
    Ok([of(groups.first()), of(groups.last())])
}

impl ByLayer {
    /// Charts the share of random segments that hold, and the tests an edge takes, by layer.
    ///
    /// # Errors
    /// No network.
    pub fn figure(&self) -> Result<Figure> {
        self.panels()?.figure()
    }

    /// The panels of [`ByLayer::figure`].
    ///
    /// # Errors
    /// No network.
    pub fn panels(&self) -> Result<Panels> {
        let panel = |title: &str, y: &str, value: fn(&LayerRegions) -> f64| -> Result<LineChart> {
            Ok(LineChart {
                title: title.into(),
                x_label: "layer (0: pixels, 4: last hidden layer)".into(),
                y_label: y.into(),
                series: self.series(value)?,
                ..LineChart::default()
            })
        };
        Ok(Panels {
            title: "Joining classes, layer by layer".into(),
            columns: 2,
            charts: vec![
                panel(
                    "Random segments that stay inside",
                    "share of the segments",
                    |own| own.random,
                )?,
                panel(
                    "Tests for each edge of the graphs",
                    "tests an edge",
                    |own| own.tests_per_edge,
                )?,
            ],
            note: "Mean of the seeds; bands: ± standard deviation.".into(),
        })
    }

    fn series(&self, value: fn(&LayerRegions) -> f64) -> Result<Vec<Series>> {
        let one = |regime: Regime| -> Result<Series> {
            let runs = self.networks.at(&regime);
            let layers = runs.first().map_or(0, |layers| layers.len());
            let x: Vec<f64> = (0..layers).map(|layer| layer as f64).collect();
            let values = runs
                .iter()
                .flat_map(|layers| layers.iter().map(value))
                .collect();
            let runs = Array2::from_shape_vec((runs.len(), layers), values)
                .map_err(|error| Error::argument("layers", "the same of all seeds", error))?;
            Series::over_runs(regime.to_string(), &x, runs.view())
        };
        self.networks.parameters().into_iter().map(one).collect()
    }

    /// Tabulates the numbers of a layer: mean ± standard deviation over the seeds.
    ///
    /// # Errors
    /// A layer that the networks do not have.
    pub fn table(&self, layer: usize) -> Result<Table> {
        let columns = [
            "training",
            "random segments that hold",
            "tests an edge",
            "components a class",
            "longest way (edges)",
            "distortion near the boundary",
            "far from it",
        ];
        let mut table = Table::new(
            format!("Layer {layer}, mean ± deviation of the seeds"),
            columns,
        );
        for regime in self.networks.parameters() {
            let runs = self.networks.at(&regime);
            let own: Vec<&LayerRegions> = runs.iter().filter_map(|all| all.get(layer)).collect();
            if own.is_empty() {
                let layers = runs.first().map_or(0, |layers| layers.len());
                return Err(Error::argument("layer", format!("below {layers}"), layer));
            }
            let cell = |value: fn(&LayerRegions) -> f64, decimals| {
                let values: Vec<f64> = own.iter().map(|layer| value(layer)).collect();
                plus_minus(&values, decimals)
            };
            table.push([
                regime.to_string(),
                cell(|own| own.random, 3),
                cell(|own| own.tests_per_edge, 3),
                cell(|own| own.components_per_class, 2),
                cell(|own| own.hops, 1),
                cell(|own| own.distortion_near, 3),
                cell(|own| own.distortion_far, 3),
            ]);
        }
        Ok(table)
    }
}
