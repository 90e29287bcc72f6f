//! Certificates of segments, against rational arithmetic, exact pieces and dense samples.

mod proofs;
mod refusals;
mod stretch;

use isopath::Result;
use isopath::candle::{DType, Tensor};
use isopath::models::{Activation, Mlp, Model};
use isopath::paths::CertifyParams;
use isopath::progress::Progress;

use crate::common::CPU;

fn params() -> CertifyParams {
    CertifyParams {
        progress: Progress::Hidden,
        ..CertifyParams::default()
    }
}

/// A network with these weights, a matrix and a vector for each layer, row by row.
fn network(
    sizes: &[usize],
    activation: Activation,
    layers: &[[Vec<f64>; 2]],
    dtype: DType,
) -> Result<Mlp> {
    let own = sizes.to_vec();
    let model = Model::on(0, dtype, CPU, move |vb| Mlp::new(&own, activation, vb))?;
    let named = model.parameters().named();
    for (at, [weight, bias]) in layers.iter().enumerate() {
        for (name, numbers) in [("weight", weight), ("bias", bias)] {
            let var = &named[&format!("layers.{at}.{name}")];
            let values = Tensor::from_slice(numbers, var.shape(), CPU)?;
            var.set(&values.to_dtype(dtype)?)?;
        }
    }
    model.freeze()
}

/// A row of numbers as a point.
fn point(numbers: &[f64], dtype: DType) -> Result<Tensor> {
    Ok(Tensor::from_slice(numbers, (1, numbers.len()), CPU)?.to_dtype(dtype)?)
}

/// x ↦ (margin 1, with a dip of a width down to `depth` at a place; 0).
fn dip(place: f64, width: f64, depth: f64, dtype: DType) -> Result<Mlp> {
    let steep = (1. - depth) / width;
    let layers = [
        [vec![1.; 3], vec![width - place, -place, -width - place]],
        [vec![0., 0., 0., steep, -2. * steep, steep], vec![1., 0.]],
    ];
    network(&[1, 3, 2], Activation::Relu, &layers, dtype)
}
