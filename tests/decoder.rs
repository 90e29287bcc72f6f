//! Decoders: PyTorch's numbers, shapes, modes, bad arguments; and the leaky rectifier.

mod common;

use common::{CPU, assert_close, gradients_along, message, values, wave};
use isopath::Result;
use isopath::candle::{DType, Tensor, Var};
use isopath::models::{Decoder, DecoderParams, Network, Parameters};
use isopath::ops::{leaky_relu, leaky_relu_composite};
use isopath::rng::Rng;

fn build(params: &DecoderParams, dtype: DType) -> Result<(Decoder, Parameters)> {
    let parameters = Parameters::new();
    let decoder = Decoder::new(params.clone(), parameters.builder(&Rng::new(1), dtype, CPU))?;
    Ok((decoder, parameters))
}

/// The k-th weight by name, as [`Parameters::named`] orders them, is wave(k) times 0.3, plus 0.1,
/// or plus 1 for a variance.
fn waves(parameters: &Parameters) -> Result<()> {
    for (index, (name, var)) in parameters.named().into_iter().enumerate() {
        let numbers = (wave(var.dims(), index as f64)? * 0.3)?;
        var.set(
            &(numbers
                + if name.ends_with("running_var") {
                    1.
                } else {
                    0.1
                })?,
        )?;
    }
    Ok(())
}

/// ```python
/// import torch                                                    # 2.15.0
/// from torch import nn
/// torch.set_default_dtype(torch.float64)
/// def wave(*shape, start):
///     return torch.sin(torch.arange(torch.Size(shape).numel()) + start).reshape(shape)
/// def block(i, o, slope, k=3, s=1):
///     return [nn.ConvTranspose2d(i, o, k, s, k // 2, s - 1), nn.LeakyReLU(slope), nn.BatchNorm2d(o)]
/// def first(c, f, doublings):
///     layers = []
///     for group in range(2):
///         layers += block(f if group else c, f, 0, 5, 2 if group < doublings else 1) + block(f, f, 0)
///         layers += [nn.ConvTranspose2d(f, f, 3, 1, 1)]
///     for _ in range(6): layers += block(f, f, 0)
///     return nn.Sequential(*layers, nn.ConvTranspose2d(f, 3, 3, 1, 1), nn.Sigmoid())
/// def last(c, f):
///     layers, c = [nn.Unflatten(1, (c // 16, 4, 4))], c // 16
///     for group in range(4):
///         for _ in range(3):
///             layers += block(c, 2 * f if group == 0 else f, 0.3); c = 2 * f if group == 0 else f
///         if group < 3: layers += [nn.UpsamplingNearest2d(scale_factor=2)]
///     return nn.Sequential(*layers, nn.ConvTranspose2d(c, 3, 3, 1, 1), nn.Sigmoid())
/// for net, x in ((first(2, 3, 1), wave(2, 2, 3, 3, start=0.0)), (last(32, 2), wave(2, 32, start=0.0))):
///     state = {k: v for k, v in net.state_dict().items() if "batches" not in k}
///     for start, name in enumerate(sorted(f"layers.{k}" for k in state)):
///         value = wave(*state[name[7:]].shape, start=float(start)) * 0.3
///         state[name[7:]].copy_(value + (1 if "running_var" in name else 0.1))
///     for mode in (False, True):
///         net.train(mode); z = x.clone().requires_grad_(); y = net(z)
///         (y * wave(*y.shape, start=1.0)).sum().backward()
///         print(list(y.shape), y.flatten()[::97].tolist(), z.grad.flatten()[::5].tolist())
/// ```
#[test]
fn images_and_gradients_are_those_of_pytorch() -> Result<()> {
    let reference: serde_json::Value =
        serde_json::from_str(include_str!("fixtures/decoder.json")).unwrap();
    let numbers = |value: &serde_json::Value| -> Vec<f64> {
        value
            .as_array()
            .unwrap()
            .iter()
            .map(|number| number.as_f64().unwrap())
            .collect()
    };
    let cases = [
        (
            DecoderParams::FirstStage {
                channels: 2,
                filters: 3,
                doublings: 1,
            },
            wave(&[2, 2, 3, 3], 0.)?,
        ),
        (
            DecoderParams::Features {
                features: 32,
                filters: 2,
            },
            wave(&[2, 32], 0.)?,
        ),
    ];
    let mut expected = reference.as_array().unwrap().iter();
    for (params, x) in cases {
        for training in [false, true] {
            let (decoder, parameters) = build(&params, DType::F64)?;
            waves(&parameters)?;
            let decoder = if training { decoder } else { decoder.freeze()? };
            let z = Var::from_tensor(&x)?;
            let y = decoder.forward(&z)?;
            let expected = expected.next().unwrap();
            let shape: Vec<f64> = y.dims().iter().map(|size| *size as f64).collect();
            assert_eq!(shape, numbers(&expected[0]));
            let some: Vec<f64> = values(&y).into_iter().step_by(97).collect();
            assert_close(&some, &numbers(&expected[1]), 1e-12);
            let gradient = gradients_along(&y, &wave(y.dims(), 1.)?, &[&z])?.remove(0);
            let expected = numbers(&expected[2]);
            let largest = expected
                .iter()
                .fold(0f64, |largest, number| largest.max(number.abs()));
            assert!(largest > 0.);
            assert_close(
                &gradient.into_iter().step_by(5).collect::<Vec<_>>(),
                &expected,
                1e-9 * largest,
            );
        }
    }
    Ok(())
}

#[test]
fn sizes_are_those_of_the_paper() -> Result<()> {
    let zeros = |shape: &[usize]| Tensor::zeros(shape, DType::F32, CPU);
    let (last, _) = build(
        &DecoderParams::Features {
            features: 2048,
            filters: 4,
        },
        DType::F32,
    )?;
    assert_eq!(
        last.freeze()?.forward(&zeros(&[1, 2048])?)?.dims(),
        [1, 3, 32, 32]
    );
    for (doublings, side) in [(0, 8), (1, 16), (2, 32)] {
        let (first, _) = build(
            &DecoderParams::FirstStage {
                channels: 5,
                filters: 4,
                doublings,
            },
            DType::F32,
        )?;
        assert_eq!(
            first.freeze()?.forward(&zeros(&[2, 5, 8, 8])?)?.dims(),
            [2, 3, side, side]
        );
    }
    // Table 3 at its own size: 3·3·c_in·c_out numbers and c_out biases a convolution, four numbers
    // a channel to normalise.
    let (_, parameters) = build(
        &DecoderParams::Features {
            features: 2048,
            filters: 256,
        },
        DType::F32,
    )?;
    let convolutions = [(128, 512), (512, 512), (512, 512), (512, 256)]
        .into_iter()
        .chain([(256, 256); 8])
        .chain([(256, 3)]);
    let count: usize = convolutions
        .map(|(inputs, outputs)| 9 * inputs * outputs + outputs)
        .sum();
    assert_eq!(parameters.count(), count + 4 * (3 * 512 + 9 * 256));
    Ok(())
}

#[test]
fn bad_arguments_are_refused() -> Result<()> {
    let text = |params: DecoderParams| message(build(&params, DType::F32));
    let features = text(DecoderParams::Features {
        features: 40,
        filters: 2,
    });
    assert_eq!(features, "features is 40; expected a multiple of 16");
    let filters = text(DecoderParams::FirstStage {
        channels: 4,
        filters: 0,
        doublings: 0,
    });
    assert_eq!(filters, "filters is 0; expected from 1 to 65536");
    let doublings = text(DecoderParams::FirstStage {
        channels: 4,
        filters: 1,
        doublings: 3,
    });
    assert_eq!(doublings, "doublings is 3; expected at most 2");
    let (decoder, _) = build(
        &DecoderParams::Features {
            features: 32,
            filters: 2,
        },
        DType::F32,
    )?;
    let other = message(decoder.forward(&Tensor::zeros((2, 31), DType::F32, CPU)?));
    assert_eq!(
        other,
        "decoder: representation has shape [2, 31]; expected (N, 32)"
    );
    assert_eq!(
        message(leaky_relu(&Tensor::zeros(3, DType::F32, CPU)?, -1.)),
        "slope is -1; expected a number in [0, 1]"
    );
    Ok(())
}

/// ```python
/// x = torch.tensor([-2.0, -0.0, 0.0, 3.0, float("inf"), -1e-3]).requires_grad_()       # torch 2.15.0
/// y = torch.nn.functional.leaky_relu(x, 0.3); y.sum().backward(); print(y, x.grad)
/// ```
#[test]
fn the_leaky_rectifier_is_that_of_pytorch() -> Result<()> {
    for op in [leaky_relu, leaky_relu_composite] {
        let x = Var::from_tensor(&Tensor::new(&[-2., 0., 3., f64::INFINITY, -1e-3], CPU)?)?;
        let y = op(&x, 0.3)?;
        assert_eq!(values(&y), [-0.6, 0., 3., f64::INFINITY, -3e-4]);
        assert_eq!(
            gradients_along(&y, &y.ones_like()?, &[&x])?[0],
            [0.3, 0.3, 1., 1., 0.3]
        );
    }
    // Strides, more numbers than a thread takes at a time, NaN.
    let x = Rng::new(1)
        .normal((300, 301), 0., 1., DType::F32, CPU)?
        .t()?;
    assert_eq!(
        values(&leaky_relu(&x, 0.25)?),
        values(&leaky_relu_composite(&x, 0.25)?)
    );
    assert!(values(&leaky_relu(&Tensor::new(&[f32::NAN], CPU)?, 0.3)?)[0].is_nan());
    Ok(())
}
