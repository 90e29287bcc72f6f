//! The steps as tensors beside the steps on the processor.

use std::ops::ControlFlow;

use candle_core::{DType, Device, Tensor};

use super::crossings::Point;
use super::device::OnDevice;
use super::host::Host;
use super::program::Program;
use super::walk::{Engine, Walk};
use crate::device;
use crate::error::Result;
use crate::models::Layer;
use crate::ops::Conv2dParams;
use crate::rng::Rng;

/// Images (3, 8, 8), with every layer that tensors have a step for, and both kinds of skip connections.
fn layers(rng: &mut Rng) -> Result<Vec<Layer>> {
    let mut random =
        |shape: &[usize], size: f64| Rng::normal(rng, shape, 0., size, DType::F64, &Device::Cpu);
    let mut convolution = |input, shape: [usize; 4], conv| -> Result<Layer> {
        let fan = (shape[1] * shape[2] * shape[3]) as f64;
        Ok(Layer::Convolution {
            input,
            weight: random(&shape, fan.sqrt().recip())?,
            bias: Some(random(&shape[..1], 0.3)?),
            conv,
        })
    };
    let conv = Conv2dParams::default();
    let padded = Conv2dParams { padding: 1, ..conv };
    let strided = Conv2dParams { stride: 2, ..conv };
    let both = Conv2dParams {
        stride: 2,
        ..padded
    };
    let grouped = Conv2dParams {
        dilation: 2,
        padding: 2,
        groups: 3,
        ..conv
    };
    let mut layers = vec![
        Layer::Normalise {
            input: 0,
            mean: vec![0.4, 0.5, 0.6],
            std: vec![0.2, 0.3, 0.4],
        },
        convolution(1, [5, 3, 3, 3], padded)?,
        Layer::Relu { input: 2 },
        convolution(3, [4, 5, 1, 1], conv)?,
        Layer::Relu { input: 4 },
        convolution(5, [6, 4, 3, 3], both)?,
        convolution(3, [6, 5, 1, 1], strided)?,
        Layer::Sum { input: 6, other: 7 },
        Layer::Relu { input: 8 },
        convolution(9, [6, 2, 3, 2], grouped)?,
        Layer::Relu { input: 10 },
        Layer::Enlarge { input: 11, side: 6 },
        Layer::AveragePool {
            input: 12,
            kernel: 2,
            stride: 2,
        },
        Layer::Flatten { input: 13 },
    ];
    let mut affine = |input, [outputs, inputs]: [usize; 2], bias| -> Result<Layer> {
        let size = (inputs as f64).sqrt().recip();
        let shape = [outputs, inputs];
        Ok(Layer::Affine {
            input,
            weight: Rng::normal(rng, &shape[..], 0., size, DType::F64, &Device::Cpu)?,
            bias,
        })
    };
    layers.push(affine(14, [20, 54], None)?);
    layers.push(Layer::Relu { input: 15 });
    layers.push(affine(16, [20, 20], None)?);
    layers.push(Layer::Sum {
        input: 16,
        other: 17,
    });
    layers.push(Layer::Sum {
        input: 18,
        other: 15,
    });
    layers.push(Layer::Relu { input: 19 });
    layers.push(affine(
        20,
        [4, 20],
        Some(Tensor::new(&[0.1, 0., -0.2, 0.3], &Device::Cpu)?),
    )?);
    Ok(layers)
}

/// The breakpoints that an engine finds, each with its logits, and its operations.
fn found<E: Engine>(engine: E) -> Result<(Vec<Point>, Vec<Vec<f64>>, E)> {
    let (mut points, mut rows) = (Vec::new(), Vec::new());
    let mut walk = Walk::new(engine, false)?;
    while walk.step(&mut |point, logits| {
        points.push(point);
        rows.push(logits.to_vec());
        Ok(ControlFlow::Continue(()))
    })? {}
    Ok((points, rows, walk.engine))
}

/// On a GPU where there is one; else the loops for the CPU stand in for its kernels.
#[test]
fn tensors_find_the_same_pieces_as_the_processor() -> Result<()> {
    let mut rng = Rng::new(3).stream("layers");
    let layers = layers(&mut rng)?;
    let ends = rng.uniform((2, 3, 8, 8), 0., 1., DType::F64, &Device::Cpu)?;
    let ends = [ends.narrow(0, 0, 1)?, ends.narrow(0, 1, 1)?];
    let program = Program::new(0, &[layers[..9].to_vec(), later(&layers[9..])], &[3, 8, 8])?;
    let laid =
        |end: &Tensor| -> Result<Vec<f64>> { Ok(program.laid(&end.flatten_all()?.to_vec1()?)) };
    let own = [laid(&ends[0])?, laid(&ends[1])?];
    let (points, rows, host) = found(Host::new(&program, &own, 64))?;
    assert!(points.len() > 150, "{} points", points.len());
    for chunk in [2, 7, 1000] {
        let ends = [&ends[0], &ends[1]];
        let engine = OnDevice::new(&program, ends, (chunk, &device::best()))?;
        let engine = engine.expect("tensors have these layers");
        let (own_points, own_rows, engine) = found(engine)?;
        assert_eq!(own_points.len(), points.len(), "chunk {chunk}");
        for (own, point) in own_points.iter().zip(&points) {
            assert!((own.t - point.t).abs() < 1e-12, "{own:?} and {point:?}");
            assert_eq!((own.stage, own.units), (point.stage, point.units));
        }
        for (own, row) in own_rows.iter().flatten().zip(rows.iter().flatten()) {
            assert!((own - row).abs() < 1e-11, "{own} and {row}");
        }
        if chunk == 1000 {
            assert!((engine.operations / host.operations - 1.).abs() < 0.5);
        }
    }
    Ok(())
}

/// Layers of a second stage, which read results that the first one counted, as those of its own.
fn later(layers: &[Layer]) -> Vec<Layer> {
    let mut layers = layers.to_vec();
    for layer in &mut layers {
        match layer {
            Layer::Affine { input, .. }
            | Layer::Convolution { input, .. }
            | Layer::Relu { input }
            | Layer::AveragePool { input, .. }
            | Layer::Enlarge { input, .. }
            | Layer::Flatten { input } => *input -= 9,
            Layer::Sum { input, other } => {
                *input -= 9;
                *other -= 9;
            }
            _ => {}
        }
    }
    layers
}

#[test]
fn tensors_leave_max_pooling_to_the_processor() -> Result<()> {
    let pooled = Layer::MaxPool {
        input: 0,
        kernel: 2,
        stride: 2,
        padding: 0,
    };
    let end = Tensor::ones((1, 2, 2, 2), DType::F64, &Device::Cpu)?;
    let layers = vec![pooled, Layer::GlobalAveragePool { input: 1 }];
    let program = Program::new(0, &[layers], &[2, 2, 2])?;
    assert!(OnDevice::new(&program, [&end, &end], (64, &Device::Cpu))?.is_none());
    Ok(())
}
