//! The network, the images and the cases of the fixture; finite differences.

use std::sync::OnceLock;

use isopath::Result;
use isopath::candle::{DType, Tensor, Var};
use isopath::datasets::Dataset;
use isopath::losses::Loss;
use isopath::models::{Activation, Mlp, Model, Network};
use serde::Deserialize;

use crate::common::{CPU, assert_close, values};

#[derive(Deserialize)]
pub struct Fixture {
    pub sizes: Vec<usize>,
    pub weights: Vec<Vec<f64>>,
    pub images: Vec<f64>,
    pub labels: Vec<u32>,
    pub jacobian: Vec<Jacobian>,
    pub adversarial: Vec<Adversarial>,
    pub trades: Vec<Divergence>,
    pub spectral: Vec<Spectral>,
    pub orthogonal: Vec<Orthogonal>,
    pub points: Vec<f64>,
    pub representations: Vec<f64>,
    pub point_labels: Vec<u32>,
    pub isometric: Vec<Isometric>,
}

#[derive(Deserialize)]
pub struct Jacobian {
    pub value: f64,
    pub gradients: Vec<Vec<f64>>,
    pub weight: f64,
    pub norm: f64,
    pub activation: String,
}

#[derive(Deserialize)]
pub struct Adversarial {
    pub value: f64,
    pub gradients: Vec<Vec<f64>>,
    pub attacked: Vec<f64>,
    pub eps: f64,
    pub alpha: f64,
    pub steps: usize,
}

#[derive(Deserialize)]
pub struct Divergence {
    pub value: f64,
    pub gradients: Vec<Vec<f64>>,
    pub start: Vec<f64>,
    pub attacked: Vec<f64>,
    pub beta: f64,
    pub eps: f64,
    pub alpha: f64,
    pub steps: usize,
    pub divergence: f64,
}

#[derive(Deserialize)]
pub struct Spectral {
    pub shape: Vec<usize>,
    pub weight: Vec<f64>,
    pub along: Vec<f64>,
    pub normalised: Vec<f64>,
    pub gradient: Vec<f64>,
}

#[derive(Deserialize)]
pub struct Orthogonal {
    pub shape: Vec<usize>,
    pub normal: Vec<f64>,
    pub orthogonal: Vec<f64>,
}

#[derive(Deserialize)]
pub struct Isometric {
    pub scale: f64,
    pub normalised: bool,
    pub squared: bool,
    pub value: f64,
    pub of_x: Vec<f64>,
    pub of_z: Vec<f64>,
}

pub fn fixture() -> &'static Fixture {
    static FIXTURE: OnceLock<Fixture> = OnceLock::new();
    FIXTURE.get_or_init(|| serde_json::from_str(include_str!("../fixtures/defences.json")).unwrap())
}

/// The names of the weights in the order of the fixture's.
pub fn names() -> Vec<String> {
    let layers = 0..fixture().sizes.len() - 1;
    layers
        .flat_map(|at| ["weight", "bias"].map(|part| format!("layers.{at}.{part}")))
        .collect()
}

/// The network of the fixture.
pub fn network(activation: Activation) -> Result<Model<Mlp>> {
    let model = Model::on(0, DType::F64, CPU, move |vb| {
        Mlp::new(&fixture().sizes, activation, vb)
    })?;
    let named = model.parameters().named();
    for (name, numbers) in names().iter().zip(&fixture().weights) {
        let var = &named[name];
        var.set(&Tensor::from_slice(numbers, var.shape(), CPU)?)?;
    }
    Ok(model)
}

/// The images of the fixture with their labels.
pub fn batch() -> Result<Dataset> {
    let images = Tensor::from_slice(&fixture().images, (5, 6), CPU)?;
    Dataset::new(images, Tensor::new(fixture().labels.as_slice(), CPU)?)
}

/// The loss and its gradient in every weight are `value` and `gradients`.
#[track_caller]
pub fn assert_loss(loss: &Tensor, model: &Model<Mlp>, value: f64, gradients: &[Vec<f64>]) {
    assert_close(&values(loss), &[value], 1e-13 * (1. + value.abs()));
    let (found, named) = (loss.backward().unwrap(), model.parameters().named());
    for (name, expected) in names().iter().zip(gradients) {
        let largest = expected.iter().fold(1f64, |a, b| a.max(b.abs()));
        let own = found
            .get(&named[name])
            .map_or(vec![0.; expected.len()], values);
        assert_close(&own, expected, 1e-13 * largest);
    }
}

/// The gradient of the loss in every weight is a central difference.
pub fn assert_differences<N: Network + 'static>(
    loss: &dyn Loss,
    model: &Model<N>,
    data: &Dataset,
    tolerance: f64,
) -> Result<()> {
    let found = loss.loss(model, data)?;
    assert_gradient(&found, &|| loss.loss(model, data), model, tolerance)
}

/// The gradient of `found` in every weight is a central difference of `value`, whose error is h²/6 of a
/// third derivative and 1e-16/h.
pub fn assert_gradient<N: Network + 'static>(
    found: &Tensor,
    value: &dyn Fn() -> Result<Tensor>,
    model: &Model<N>,
    tolerance: f64,
) -> Result<()> {
    let h = 1e-5;
    let found = found.backward()?;
    for (name, var) in model.parameters().named() {
        let numbers = values(&var);
        let gradient = found.get(&var).map_or(vec![0.; numbers.len()], values);
        for (at, gradient) in gradient.iter().enumerate() {
            let moved = |step: f64| -> Result<f64> {
                set(&var, &numbers, at, step)?;
                Ok(value()?.to_scalar()?)
            };
            let difference = (moved(h)? - moved(-h)?) / (2. * h);
            set(&var, &numbers, at, 0.)?;
            assert!(
                (difference - gradient).abs() < tolerance,
                "{name} {at}: {difference} {gradient}"
            );
        }
    }
    Ok(())
}

fn set(var: &Var, numbers: &[f64], at: usize, step: f64) -> Result<()> {
    let mut moved = numbers.to_vec();
    moved[at] += step;
    Ok(var.set(&Tensor::from_slice(&moved, var.shape(), CPU)?)?)
}
