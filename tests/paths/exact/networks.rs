//! Networks made of layers.

use isopath::Result;
use isopath::candle::{DType, Tensor};
use isopath::models::{Layer, Network};
use isopath::ops::{self, Conv2dParams};
use serde_json::Value;

use crate::common::CPU;

/// A network that says its layers, and computes them by the crate's differentiable operations.
#[derive(Clone, Debug)]
pub struct Layered(pub Vec<Vec<Layer>>);

impl Network for Layered {
    fn stages(&self) -> usize {
        self.0.len()
    }

    fn stage(&self, index: usize, x: &Tensor) -> Result<Tensor> {
        let mut results = vec![x.clone()];
        for layer in &self.0[index] {
            results.push(run(layer, &results)?);
        }
        Ok(results.pop().unwrap())
    }

    fn layers(&self, index: usize) -> Result<Option<Vec<Layer>>> {
        Ok(self.0.get(index).cloned())
    }
}

fn run(layer: &Layer, results: &[Tensor]) -> Result<Tensor> {
    let x = &results[layer.inputs()[0]];
    Ok(match layer {
        Layer::Affine { weight, bias, .. } => {
            let none = Tensor::zeros(weight.dim(0)?, x.dtype(), CPU)?;
            ops::linear(x, weight, bias.as_ref().unwrap_or(&none))?
        }
        Layer::Convolution {
            weight, bias, conv, ..
        } => ops::conv2d(x, weight, bias.as_ref(), conv)?,
        Layer::Normalise { mean, std, .. } => {
            let numbers = |values: &[f64]| -> Result<Tensor> {
                Ok(Tensor::new(values, CPU)?.reshape((1, values.len(), 1, 1))?)
            };
            x.broadcast_sub(&numbers(mean)?)?
                .broadcast_div(&numbers(std)?)?
        }
        Layer::Relu { .. } => x.relu()?,
        Layer::Sum { other, .. } => (x + &results[*other])?,
        Layer::AveragePool { kernel, stride, .. } => x.avg_pool2d_with_stride(*kernel, *stride)?,
        Layer::GlobalAveragePool { .. } => ops::global_avg_pool2d(x)?,
        Layer::MaxPool {
            kernel,
            stride,
            padding,
            ..
        } => ops::max_pool2d(x, *kernel, *stride, *padding)?,
        Layer::Flatten { .. } => x.flatten_from(1)?,
        other => panic!("no {other:?} here"),
    })
}

/// `tests/fixtures/exact.py`.
pub struct Case {
    pub name: String,
    pub network: Layered,
    pub start: Tensor,
    pub end: Tensor,
    pub t: Vec<f64>,
    pub logits: Vec<Vec<f64>>,
}

pub fn cases() -> Vec<Case> {
    let all: Vec<Value> = serde_json::from_str(include_str!("../../fixtures/exact.json")).unwrap();
    all.iter().map(case).collect()
}

fn case(value: &Value) -> Case {
    let stages = value["stages"].as_array().unwrap();
    let layers = |stage: &Value| stage.as_array().unwrap().iter().map(layer).collect();
    let mut shape = vec![1];
    shape.extend(list::<usize>(&value["shape"]));
    let point =
        |name: &str| Tensor::from_vec(list::<f64>(&value[name]), shape.as_slice(), CPU).unwrap();
    Case {
        name: value["name"].as_str().unwrap().to_string(),
        network: Layered(stages.iter().map(layers).collect()),
        start: point("start"),
        end: point("end"),
        t: list(&value["t"]),
        logits: list(&value["logits"]),
    }
}

fn list<T: serde::de::DeserializeOwned>(value: &Value) -> Vec<T> {
    serde_json::from_value(value.clone()).unwrap()
}

/// A tensor of nested lists.
fn tensor(value: &Value) -> Tensor {
    let (mut shape, mut at) = (Vec::new(), value);
    while let Some(list) = at.as_array() {
        shape.push(list.len());
        at = &list[0];
    }
    fn numbers(value: &Value) -> Vec<f64> {
        match value.as_array() {
            Some(list) => list.iter().flat_map(numbers).collect(),
            None => vec![value.as_f64().unwrap()],
        }
    }
    Tensor::from_vec(numbers(value), shape, CPU).unwrap()
}

fn layer(value: &Value) -> Layer {
    let number = |name: &str| value[name].as_u64().unwrap_or(0) as usize;
    let input = number("input");
    match value["kind"].as_str().unwrap() {
        "affine" => Layer::Affine {
            input,
            weight: tensor(&value["weight"]),
            bias: Some(tensor(&value["bias"])),
        },
        "convolution" => Layer::Convolution {
            input,
            weight: tensor(&value["weight"]),
            bias: Some(tensor(&value["bias"])),
            conv: Conv2dParams {
                stride: number("stride"),
                padding: number("padding"),
                ..Conv2dParams::default()
            },
        },
        "normalise" => Layer::Normalise {
            input,
            mean: list(&value["mean"]),
            std: list(&value["std"]),
        },
        "relu" => Layer::Relu { input },
        "sum" => Layer::Sum {
            input,
            other: number("other"),
        },
        "average_pool" => Layer::AveragePool {
            input,
            kernel: number("kernel"),
            stride: number("stride"),
        },
        "global_average" => Layer::GlobalAveragePool { input },
        "max_pool" => Layer::MaxPool {
            input,
            kernel: number("kernel"),
            stride: number("stride"),
            padding: number("padding"),
        },
        "flatten" => Layer::Flatten { input },
        kind => panic!("no {kind}"),
    }
}

/// An affine layer of f64.
pub fn affine(weight: &[&[f64]], bias: &[f64]) -> Layer {
    let rows: Vec<f64> = weight.concat();
    let shape = (weight.len(), rows.len() / weight.len());
    Layer::Affine {
        input: 0,
        weight: Tensor::from_vec(rows, shape, CPU).unwrap(),
        bias: Some(
            Tensor::new(bias, CPU)
                .unwrap()
                .to_dtype(DType::F64)
                .unwrap(),
        ),
    }
}
