//! Is a network isometric away from the decision boundary?

use std::fmt;

use serde::Serialize;

use super::method::Method;
use super::networks::Networks;
use crate::datasets::{self, Dataset, RingsParams, TorusParams};
use crate::error::{Error, Result};
use crate::figures::{Table, drawn};
use crate::lipschitz::{MarginGroup, ratios_by_margin};
use crate::losses::IsometricLoss;
use crate::models::{Activation, Mlp, Model, Network, Representation};
use crate::progress::Progress;
use crate::scale::Scale;
use crate::training::{TrainParams, train};

/// The neighbours of each image, and the groups of margins.
const NEIGHBORS: usize = 5;
const GROUPS: usize = 4;

/// Which networks are measured near their decision boundary and far from it.
#[derive(Clone, Debug, PartialEq)]
pub struct NearAndFarParams {
    /// The methods whose networks of the first seed are measured.
    pub methods: Vec<Method>,
    /// The number of test images, from the first on.
    pub images: usize,
    /// The epochs of the small networks on the entangled rings and on the torus, one with β = 0 and
    /// one with β = 1 on each.
    pub epochs: usize,
}

impl NearAndFarParams {
    /// The parameters at a scale.
    ///
    /// `quick`: 200 images, 50 epochs. `default`: 2,000 images, 500 epochs. `paper`: all images. The
    /// methods are plain, isometric with β = 1, and adversarial with ε = 0.1.
    pub fn of(scale: Scale) -> Self {
        Self {
            methods: vec![
                Method::Plain,
                Method::isometric(1.),
                Method::Adversarial { eps: 0.1 },
            ],
            images: scale.pick(200, 2_000, 10_000),
            epochs: scale.pick(50, 500, 500),
        }
    }
}

#[derive(Clone, Copy)]
pub(super) enum Points {
    Rings,
    Torus,
}

/// What the small networks learn, and their β.
pub(super) const SMALL: [(Points, f64); 4] = [
    (Points::Rings, 0.),
    (Points::Rings, 1.),
    (Points::Torus, 0.),
    (Points::Torus, 1.),
];

/// How much several networks stretch near their decision boundary and far from it.
///
/// ```text
/// r_ij = d(Φ(x_i), Φ(x_j)) / d(x_i, x_j),  x_j one of the 5 nearest of x_i's class
/// ```
///
/// - **Shapes**: an entry for each network, each with four groups of margins.
/// - **Range**: as [`MarginGroup`].
/// - **Source**: ours; it tests what the paper's authors say in Scientific Reports 15, 2025 (doi
///   10.1038/s41598-025-20619-0).
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct NearAndFar {
    /// The networks, each with its groups from the smallest margins to the largest.
    pub networks: Vec<(String, Vec<MarginGroup>)>,
}

/// The name of a network, with its groups.
pub(super) type Measured = (String, Vec<MarginGroup>);

/// Measures the network of a method.
pub(super) fn of_method(
    method: &Method,
    network: &dyn Network,
    data: &Dataset,
    params: &NearAndFarParams,
) -> Result<Measured> {
    let mut found = NearAndFar::default();
    let images = data.first(params.images)?;
    found.push(format!("MNIST, {method}"), network, &images)?;
    found.only()
}

/// Trains one of the [`SMALL`] networks and measures it.
pub(super) fn of_small(number: usize, params: &NearAndFarParams) -> Result<Measured> {
    let Some((points, beta)) = SMALL.get(number).copied() else {
        let expected = format!("below {}", SMALL.len());
        return Err(Error::argument("small network", expected, number));
    };
    let (name, points) = match points {
        Points::Rings => {
            let rings = datasets::entangled_rings(&RingsParams::default())?;
            ("rings", rings.dataset()?)
        }
        Points::Torus => {
            let levels = datasets::torus(&TorusParams::default())?.levels()?;
            let second = levels.into_iter().nth(1);
            let second = second.ok_or_else(|| Error::argument("levels", "at least two", "one"));
            ("torus", second?)
        }
    };
    let sizes = [3, 20, 20, points.classes.len()];
    let network = Model::new(0, move |vb| Mlp::new(&sizes, Activation::Tanh, vb))?;
    let training = TrainParams {
        epochs: params.epochs,
        progress: Progress::Hidden,
        ..TrainParams::default()
    };
    train(&network, &points, &IsometricLoss::new(beta), &training)?;
    let mut found = NearAndFar::default();
    found.push(format!("{name}, β = {beta}"), &network, &points)?;
    found.only()
}

impl NearAndFar {
    /// Measures networks on images, and small ones, which it trains, on the rings and on the torus.
    ///
    /// # Errors
    /// A method without a network, or as [`ratios_by_margin`].
    pub fn of(networks: &Networks, data: &Dataset, params: &NearAndFarParams) -> Result<Self> {
        let seed = networks.runs.first().map_or(0, |run| run.seed);
        let of_method = |method: &Method| {
            let own = &networks.get(method, seed)?.network;
            of_method(method, own, data, params)
        };
        let on_images = params.methods.iter().map(of_method);
        let small = (0..SMALL.len()).map(|number| of_small(number, params));
        Ok(Self {
            networks: on_images.chain(small).collect::<Result<_>>()?,
        })
    }

    /// The only network.
    fn only(mut self) -> Result<Measured> {
        let only = self.networks.pop();
        only.ok_or_else(|| Error::argument("networks", "one", "none"))
    }

    /// Measures one network's last hidden layer.
    ///
    /// # Errors
    /// As [`ratios_by_margin`].
    pub fn push(
        &mut self,
        name: impl fmt::Display,
        network: &dyn Network,
        data: &Dataset,
    ) -> Result<()> {
        let layer = Representation::LastHidden;
        let groups = ratios_by_margin(network, layer, data, (NEIGHBORS, GROUPS))?;
        self.networks.push((name.to_string(), groups));
        Ok(())
    }

    /// Tabulates the median ratio, with its quartiles, from the quarter of smallest margins to that of
    /// the largest, and the distortion of both.
    pub fn table(&self) -> Table {
        let head = [
            "network",
            "smallest margins",
            "second quarter",
            "third quarter",
            "largest margins",
            "distortion near",
            "distortion far",
        ];
        let caption =
            "Distances of neighbours after the map, divided by those before: median (quartiles)";
        let mut table = Table::new(caption, head);
        for (name, groups) in &self.networks {
            let words = |group: &MarginGroup| {
                let [low, middle, high] = group.ratio;
                format!("{middle:.2} ({low:.2}–{high:.2})")
            };
            let end = |group: Option<&MarginGroup>| {
                group.map_or(String::new(), |group| format!("{:.2}", group.distortion))
            };
            let mut row = vec![name.clone()];
            row.extend(groups.iter().map(words));
            row.extend([end(groups.first()), end(groups.last())]);
            table.push(row);
        }
        table
    }
}

drawn!(table: NearAndFar);
