//! Convolutions with fully connected layers on them, against PyTorch and against what they consist of.
//!
//! `tests/fixtures/conv_mlp.json` was made by `tests/fixtures/conv_mlp.py` with torch 2.15.0 in double
//! precision.

mod common;

use std::collections::BTreeMap;
use std::sync::Arc;

use common::{CPU, assert_close, build, message, values};
use isopath::candle::{DType, Tensor, Var};
use isopath::datasets::Dataset;
use isopath::losses::CrossEntropy;
use isopath::models::{Activation, ConvMlp, Initialisation, Layer, Model, Network as _};
use isopath::ops::cross_entropy;
use isopath::optimizers::Optimizer;
use isopath::progress::Progress;
use isopath::rng::Rng;
use isopath::training::{TrainParams, train};
use isopath::{Error, Result};
use serde::Deserialize;

#[derive(Deserialize)]
struct Fixture {
    cases: Vec<Case>,
}

#[derive(Deserialize)]
struct Case {
    channels: Vec<usize>,
    sizes: Vec<usize>,
    images: Reference,
    labels: Vec<u32>,
    representations: Vec<Vec<f64>>,
    loss: f64,
    weights: BTreeMap<String, Reference>,
}

#[derive(Deserialize)]
struct Reference {
    shape: Vec<usize>,
    values: Vec<f64>,
    gradient: Vec<f64>,
}

impl Reference {
    fn tensor(&self, dtype: DType) -> Result<Tensor> {
        let values = Tensor::from_vec(self.values.clone(), self.shape.clone(), CPU)?;
        Ok(values.to_dtype(dtype)?)
    }
}

fn cases() -> Result<Vec<Case>> {
    let fixture = serde_json::from_str::<Fixture>(include_str!("fixtures/conv_mlp.json"));
    Ok(fixture
        .map_err(|error| Error::argument("fixture", "JSON", error))?
        .cases)
}

fn network(channels: &[usize], sizes: &[usize], seed: u64, dtype: DType) -> Result<Model<ConvMlp>> {
    let (channels, sizes) = (channels.to_vec(), sizes.to_vec());
    let build = move |vb| ConvMlp::new(&channels, &sizes, Activation::Tanh, vb);
    Model::on(seed, dtype, CPU, build)
}

/// The network of a case, with its weights.
fn of_case(case: &Case, dtype: DType) -> Result<Model<ConvMlp>> {
    let network = network(&case.channels, &case.sizes, 0, dtype)?;
    let named = network.parameters().named();
    assert_eq!(named.len(), case.weights.len());
    for (name, weight) in &case.weights {
        named[name].set(&weight.tensor(dtype)?)?;
    }
    Ok(network)
}

#[test]
fn stages_and_gradients_are_those_of_pytorch() -> Result<()> {
    for case in cases()? {
        for (dtype, tolerance) in [(DType::F64, 1e-14), (DType::F32, 1e-6)] {
            let network = of_case(&case, dtype)?;
            let images = Var::from_tensor(&case.images.tensor(dtype)?)?;
            let found = network.representations(&images)?;
            assert_eq!(found.len(), case.representations.len() + 1);
            for (found, expected) in found[1..].iter().zip(&case.representations) {
                assert_close(&values(found), expected, tolerance);
            }
            let labels = Tensor::new(case.labels.as_slice(), CPU)?;
            let loss = cross_entropy(&network.forward(&images)?, &labels, 0.)?;
            assert_close(&values(&loss), &[case.loss], tolerance);
            let gradients = loss.backward()?;
            let gradient = |var: &Var| gradients.get(var).map(values).unwrap_or_default();
            assert_close(&gradient(&images), &case.images.gradient, tolerance);
            for (name, var) in network.parameters().named() {
                assert_close(&gradient(&var), &case.weights[&name].gradient, tolerance);
            }
        }
    }
    Ok(())
}

#[test]
fn stages_join_to_the_network_and_are_what_their_layers_say() -> Result<()> {
    let network = network(&[3, 4, 8], &[8 * 8 * 8, 20, 10], 3, DType::F64)?;
    let x = Rng::new(1).uniform((5, 3, 32, 32), 0., 1., DType::F64, CPU)?;
    let all = network.representations(&x)?;
    let shapes: Vec<&[usize]> = all.iter().map(Tensor::dims).collect();
    let expected: [&[usize]; 5] = [
        &[5, 3, 32, 32],
        &[5, 4, 16, 16],
        &[5, 8, 8, 8],
        &[5, 20],
        &[5, 10],
    ];
    assert_eq!((shapes.as_slice(), network.stages()), (&expected[..], 4));
    let logits = values(&network.forward(&x)?);
    for (index, representation) in all.iter().enumerate() {
        assert_eq!(
            values(&network.forward_from(index, representation)?),
            logits
        );
    }
    assert_eq!(values(&network.freeze()?.forward(&x)?), logits);
    let kinds = |index| -> Result<Vec<&str>> {
        let layers = network.layers(index)?.unwrap_or_default();
        let name = |layer: &Layer| match layer {
            Layer::Convolution { conv, .. } if conv.padding == 1 && conv.stride == 1 => "conv",
            Layer::Relu { .. } => "relu",
            Layer::MaxPool {
                kernel: 2,
                stride: 2,
                padding: 0,
                ..
            } => "pool",
            Layer::Flatten { .. } => "flatten",
            Layer::Affine { .. } => "affine",
            Layer::Tanh { .. } => "tanh",
            _ => "another",
        };
        Ok(layers.iter().map(name).collect())
    };
    assert_eq!(kinds(1)?, ["conv", "relu", "pool"]);
    assert_eq!(kinds(2)?, ["flatten", "affine", "tanh"]);
    assert!(network.layers(4)?.is_none());
    // A convolution is no matrix.
    assert!(network.weight(1)?.is_none());
    assert_eq!(
        network.weight(2)?.map(|w| w.dims().to_vec()),
        Some(vec![20, 512])
    );
    Ok(())
}

#[test]
fn without_convolutions_it_is_the_fully_connected_network_of_the_same_seed() -> Result<()> {
    let sizes = [12, 7, 7, 3];
    let (own, mlp) = (
        network(&[], &sizes, 5, DType::F32)?,
        build(&sizes, 5, DType::F32)?,
    );
    let x = Rng::new(1).uniform((4, 12), 0., 1., DType::F32, CPU)?;
    assert_eq!(values(&own.forward(&x)?), values(&mlp.forward(&x)?));
    assert_eq!((own.stages(), own.sizes()), (3, &sizes[..]));
    assert!(own.channels().is_empty());
    assert_eq!(format!("{own:?}"), format!("{mlp:?}"));
    Ok(())
}

#[test]
fn initial_weights_are_those_of_pytorchs_layers() -> Result<()> {
    let network = network(&[3, 16, 32], &[32 * 8 * 8, 10, 10], 5, DType::F32)?;
    let named = network.parameters().named();
    for (name, inputs) in [
        ("convolutions.0.weight", 27.),
        ("convolutions.0.bias", 27.),
        ("convolutions.1.weight", 144.),
        ("convolutions.1.bias", 144.),
        ("layers.0.weight", 2048.),
    ] {
        let bound = f64::sqrt(1. / inputs);
        let numbers = values(&named[name]);
        let largest = numbers.iter().fold(0f64, |a, b| a.max(b.abs()));
        assert!(
            largest <= bound && largest > 0.75 * bound,
            "{name}: {largest}"
        );
    }
    let variance = values(&named["convolutions.1.weight"])
        .iter()
        .map(|w| w * w)
        .sum::<f64>()
        / (32. * 144.);
    assert!((variance * 144. * 3. - 1.).abs() < 0.1, "{variance}");
    // Orthogonal between the hidden layers alone.
    let build = |vb| {
        let (tanh, orthogonal) = (Activation::Tanh, Initialisation::Orthogonal);
        ConvMlp::initialised(&[1, 2], &[8, 5, 5, 3], tanh, orthogonal, vb)
    };
    let named = Model::on(0, DType::F64, CPU, build)?.parameters().named();
    let square = |name: &str| -> Result<Vec<f64>> {
        let w = named[name].as_tensor();
        Ok(values(&w.matmul(&w.t()?.contiguous()?)?))
    };
    let identity = values(&Tensor::eye(5, DType::F64, CPU)?);
    assert_close(&square("layers.1.weight")?, &identity, 1e-12);
    assert!((square("layers.0.weight")?[0] - 1.).abs() > 1e-3);
    Ok(())
}

#[test]
fn it_learns_where_the_light_is() -> Result<()> {
    // Bright above, bright below, with noise.
    let (count, side) = (60usize, 8usize);
    let labels: Vec<u32> = (0..count as u32).map(|i| i % 2).collect();
    let is_bright = |label: u32, row: usize| (row < side / 2) == (label == 0);
    let pixels: Vec<f32> = labels
        .iter()
        .flat_map(|label| (0..side * side).map(move |at| is_bright(*label, at / side)))
        .map(|bright| if bright { 0.8 } else { 0.2 })
        .collect();
    let noise = Rng::new(2).uniform((count, 1, side, side), -0.1, 0.1, DType::F32, CPU)?;
    let inputs = (Tensor::from_vec(pixels, (count, 1, side, side), CPU)? + noise)?;
    let data = Dataset::new(inputs, Tensor::new(labels, CPU)?)?;
    let network = network(&[1, 3, 4], &[4 * 2 * 2, 8, 2], 0, DType::F32)?;
    let params = TrainParams {
        epochs: 10,
        batch_size: 10,
        optimizer: Optimizer::adam(0.01),
        progress: Progress::Hidden,
        ..TrainParams::default()
    };
    train(&network, &data, &CrossEntropy, &params)?;
    let accuracy = isopath::metrics::accuracy(&network, &data)?;
    assert!(accuracy > 0.95, "{accuracy}");
    // The frozen network attends to nothing but its own weights.
    let frozen: Arc<dyn isopath::models::Network> = network.frozen()?;
    assert_eq!(
        values(&frozen.forward(&data.inputs)?),
        values(&network.forward(&data.inputs)?)
    );
    Ok(())
}

#[test]
fn what_does_not_fit_is_refused() -> Result<()> {
    let of = |channels: &[usize], sizes: &[usize]| message(network(channels, sizes, 0, DType::F32));
    assert_eq!(
        of(&[3], &[4, 2]),
        "channels is [3]; expected none, or at least two numbers, each at least 1"
    );
    assert!(of(&[3, 0], &[4, 2]).starts_with("channels is [3, 0]"));
    assert!(of(&[3, 2], &[4]).starts_with("sizes is [4]"));
    let network = network(&[3, 2], &[2 * 2 * 2, 3], 0, DType::F32)?;
    let on = |shape: &[usize]| -> Result<String> {
        Ok(message(network.forward(&Tensor::zeros(
            shape,
            DType::F32,
            CPU,
        )?)))
    };
    assert_eq!(on(&[1, 3, 4, 4])?, "no error");
    for (shape, words) in [
        (&[1, 2, 4, 4][..], "conv2d: x has shape [1, 2, 4, 4]"),
        (&[1, 48], "conv2d: x has shape [1, 48]"),
        (&[1, 3, 1, 1], "kernel"),
        (&[1, 3, 6, 6], "(N, 8)"),
    ] {
        let text = on(shape)?;
        assert!(text.contains(words), "{shape:?}: {text}");
    }
    let x = Tensor::zeros((1, 3), DType::F32, CPU)?;
    let text = message(network.stage(2, &x));
    assert_eq!(text, "stage is 2; expected below 2, the number of stages");
    Ok(())
}
