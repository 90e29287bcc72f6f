//! Batch normalisation: the fused kernels, their composite twins, and PyTorch.

mod common;

use common::{CPU, assert_close, gradients_along, message, values, wave, with_threads};
use isopath::Result;
use isopath::candle::{DType, Tensor, Var};
use isopath::ops::{
    BatchNorm, batch_norm, batch_norm_composite, batch_norm_eval, batch_norm_eval_composite,
    fold_batch_norm,
};
use isopath::rng::Rng;
use proptest::prelude::*;

const EPS: f64 = 1e-3;

type Train = fn(&Tensor, &Tensor, &Tensor, f64) -> Result<BatchNorm>;
const TRAIN: [Train; 2] = [batch_norm, batch_norm_composite];

type Eval = fn(&Tensor, &Tensor, &Tensor, [&Tensor; 2], f64) -> Result<Tensor>;
const EVAL: [Eval; 2] = [batch_norm_eval, batch_norm_eval_composite];

fn var(tensor: Tensor) -> Result<Var> {
    Ok(Var::from_tensor(&tensor)?)
}

/// The arguments of both modes; x has mean 1 and deviation 2.
struct Arguments {
    x: Var,
    gamma: Var,
    beta: Var,
    mean: Tensor,
    variance: Tensor,
}

impl Arguments {
    fn random(seed: u64, shape: &[usize], dtype: DType) -> Result<Self> {
        let rng = Rng::new(seed);
        let vector = |name: &str, mean| rng.stream(name).normal(shape[1], mean, 1., dtype, CPU);
        Ok(Self {
            x: var(rng.stream("x").normal(shape, 1., 2., dtype, CPU)?)?,
            gamma: var(vector("gamma", 1.)?)?,
            beta: var(vector("beta", 0.)?)?,
            mean: vector("mean", 1.)?,
            variance: (vector("variance", 0.)?.sqr()? + 0.5)?,
        })
    }

    fn variables(&self) -> [&Var; 3] {
        [&self.x, &self.gamma, &self.beta]
    }

    /// Output, gradients of x, gamma and beta, mean, variance.
    fn train(&self, op: Train) -> Result<Vec<Vec<f64>>> {
        let BatchNorm {
            output,
            mean,
            variance,
        } = op(&self.x, &self.gamma, &self.beta, EPS)?;
        let mut all = self.with_gradients(&output)?;
        all.extend([values(&mean), values(&variance)]);
        Ok(all)
    }

    /// Output, gradients of x, gamma and beta.
    fn eval(&self, op: Eval) -> Result<Vec<Vec<f64>>> {
        self.with_gradients(&op(
            &self.x,
            &self.gamma,
            &self.beta,
            [&self.mean, &self.variance],
            EPS,
        )?)
    }

    fn with_gradients(&self, output: &Tensor) -> Result<Vec<Vec<f64>>> {
        let along = wave(output.dims(), 5.)?.to_dtype(output.dtype())?;
        let mut all = vec![values(output)];
        all.extend(gradients_along(output, &along, &self.variables())?);
        Ok(all)
    }
}

/// Relative to the largest number.
#[track_caller]
fn assert_all_close(got: &[Vec<f64>], expected: &[Vec<f64>], tolerance: f64) {
    assert_eq!(got.len(), expected.len());
    for (got, expected) in got.iter().zip(expected) {
        let largest = expected
            .iter()
            .fold(1f64, |largest, v| largest.max(v.abs()));
        assert_close(got, expected, tolerance * largest);
    }
}

/// ```python
/// import torch                                                    # 2.15.0
/// torch.set_default_dtype(torch.float64)
/// def wave(*shape, start):
///     return torch.sin(torch.arange(torch.Size(shape).numel()) + start).reshape(shape)
/// x, g = wave(2, 3, 2, 2, start=0.0).requires_grad_(), wave(2, 3, 2, 2, start=5.0)
/// bn = torch.nn.BatchNorm2d(3, eps=1e-3, momentum=0.3)
/// with torch.no_grad():
///     bn.weight.copy_(wave(3, start=0.5)); bn.bias.copy_(wave(3, start=2.0))
///     bn.running_mean.copy_(wave(3, start=3.0)); bn.running_var.copy_(1 + wave(3, start=4.0) / 2)
/// for mode in (False, True):
///     bn.train(mode); bn.zero_grad(); x.grad = None
///     y = bn(x); y.backward(g)
///     for t in (y, x.grad, bn.weight.grad, bn.bias.grad, bn.running_mean, bn.running_var):
///         print(t.flatten().tolist())
/// ```
fn of_pytorch() -> Result<Arguments> {
    Ok(Arguments {
        x: var(wave(&[2, 3, 2, 2], 0.)?)?,
        gamma: var(wave(&[3], 0.5)?)?,
        beta: var(wave(&[3], 2.)?)?,
        mean: wave(&[3], 3.)?,
        variance: ((wave(&[3], 4.)? / 2.)? + 1.)?,
    })
}

#[test]
fn evaluation_is_that_of_pytorch() -> Result<()> {
    let expected = [
        [
            [
                0.8235530527500914,
                1.334829971502214,
                1.3760412490279503,
                0.9092974268256817,
            ],
            [
                0.14112000805986727,
                -0.13805781279826274,
                0.8005039793669758,
                2.09389600123833,
            ],
            [
                0.4995763215513913,
                0.12733471874221258,
                -0.48924604991670273,
                -0.7832844692282479,
            ],
            [
                0.4975318908157585,
                1.0788461190926906,
                1.425445079518533,
                1.2186672863007662,
            ],
            [
                0.788780301340909,
                -0.14147390875383542,
                0.14915223704220854,
                1.3934584005752984,
            ],
            [
                0.450300270297393,
                0.401103784851016,
                -0.14413388327479712,
                -0.6841237364975087,
            ],
        ]
        .concat(),
        [
            [
                -0.5826414187986662,
                -0.16977257392107228,
                0.39918439247321696,
                0.6011330693607756,
            ],
            [
                0.5692327715112269,
                -0.7514213892407942,
                -1.3812221900821111,
                -0.7411336791944189,
            ],
            [
                0.2709509318304398,
                0.6388078135085979,
                0.4193477374601202,
                -0.1856587144880174,
            ],
            [
                -0.5841441430763235,
                -0.4562990910960753,
                0.09106524090683187,
                0.5547046103888732,
            ],
            [
                1.1556186508959823,
                -0.012225744535394998,
                -1.1688298468228395,
                -1.2508171782763746,
            ],
            [
                -0.08534898474955122,
                0.49174710204092814,
                0.616733171022929,
                0.17469760677718843,
            ],
        ]
        .concat(),
        vec![1.8737098871119926, -2.157227104918782, 4.869356805374036],
        vec![-0.2415572057805463, -2.592460187134894, 3.6306473331077647],
    ];
    for op in EVAL {
        assert_all_close(&of_pytorch()?.eval(op)?, &expected, 1e-14);
    }
    Ok(())
}

#[test]
fn training_and_running_statistics_are_those_of_pytorch() -> Result<()> {
    let expected = [
        [
            [
                0.49697651486816,
                1.3094301972607485,
                1.3749177108837136,
                0.6332301377232435,
            ],
            [
                -0.5206188226434233,
                -0.893985660514212,
                0.36122812190567694,
                2.0909847617743362,
            ],
            [
                -0.05255908626445398,
                -0.5065862780624759,
                -1.2586366474952024,
                -1.6172785531641576,
            ],
            [
                -0.021093211803535968,
                0.9026545031207424,
                1.4534237465254929,
                1.1248398160268889,
            ],
            [
                0.34554910922711535,
                -0.8985542789699149,
                -0.5098766801373578,
                1.1542335138367172,
            ],
            [
                -0.11266162989447667,
                -0.1726671262306859,
                -0.8376995284486807,
                -1.4963311129032928,
            ],
        ]
        .concat(),
        [
            [
                -0.5732158242953307,
                -0.5545519404411835,
                0.29818084461757594,
                1.2009839408766454,
            ],
            [
                1.1814047261957403,
                -0.6855177628430738,
                -1.1892394421176131,
                0.13335907726559112,
            ],
            [
                -0.13234590440358654,
                0.3845862715850731,
                0.2299627503168382,
                -0.4540563158371785,
            ],
            [
                -0.16915077252675587,
                -0.6907250461583836,
                -0.25303349318345747,
                0.7415122911108898,
            ],
            [
                2.1992517898828687,
                0.30183545236748904,
                -1.140148068035564,
                -0.8009457727154385,
            ],
            [
                -0.5578937401346021,
                0.15501724345083423,
                0.4074372355341797,
                -0.03270754051155834,
            ],
        ]
        .concat(),
        vec![3.1165477510530524, -1.1651926204245047, 0.9150581090294693],
        vec![-0.2415572057805463, -2.592460187134894, 3.6306473331077647],
    ];
    let arguments = of_pytorch()?;
    for op in TRAIN {
        assert_all_close(&arguments.train(op)?[..4], &expected, 1e-14);
        let batch = op(&arguments.x, &arguments.gamma, &arguments.beta, EPS)?;
        let (mean, variance) = batch.running(&arguments.mean, &arguments.variance, 0.3)?;
        assert_close(
            &values(&mean),
            &[0.2268981706808435, -0.6493329910319703, -0.6430471951308279],
            1e-15,
        );
        assert_close(
            &values(&variance),
            &[0.5193112777467215, 0.46400818044986114, 0.8003568381362406],
            1e-15,
        );
    }
    Ok(())
}

/// ```python
/// from torch.nn.utils.fusion import fuse_conv_bn_weights          # 2.15.0; wave as above
/// for bias in (wave(3, start=1.0), None):
///     print(fuse_conv_bn_weights(wave(3, 2, 2, 2, start=0.0), bias, wave(3, start=3.0), 1 + wave(3, start=4.0) / 2,
///                                1e-3, wave(3, start=0.5), wave(3, start=2.0)))
/// ```
#[test]
fn folding_is_that_of_pytorch() -> Result<()> {
    let Arguments {
        gamma,
        beta,
        mean,
        variance,
        ..
    } = of_pytorch()?;
    let expected = [
        [
            0.0,
            0.5112769187521228,
            0.552488196277859,
            0.0857443740755903,
        ],
        [
            -0.4598324302213353,
            -0.5826414187986662,
            -0.1697725739210723,
            0.399184392473217,
        ],
        [
            1.3665369472872497,
            0.5692327715112269,
            -0.7514213892407942,
            -1.3812221900821111,
        ],
        [
            -0.7411336791944189,
            0.5803497184315457,
            1.3682622613513984,
            0.8982007912494858,
        ],
        [
            -0.1856587144880174,
            -0.619971400544901,
            -0.4842852400854027,
            0.09665053671280352,
        ],
        [
            0.5887262557840448,
            0.5395297703376678,
            -0.005707897788145324,
            -0.5456977510108569,
        ],
    ];
    let (weight, bias) = (wave(&[3, 2, 2, 2], 0.)?, wave(&[3], 1.)?);
    for (bias, expected_bias) in [
        (
            Some(&bias),
            [1.334829971502214, 2.4423967288417687, -0.04742265982710825],
        ),
        (
            None,
            [0.8235530527500914, 1.1864426454029375, -0.13842598548665175],
        ),
    ] {
        let (weight, bias) =
            fold_batch_norm(&weight, bias, [&gamma, &beta], [&mean, &variance], EPS)?;
        assert_close(&values(&weight), expected.as_flattened(), 1e-15);
        assert_close(&values(&bias), &expected_bias, 1e-15);
    }
    Ok(())
}

#[test]
fn a_folded_convolution_is_convolution_and_normalisation() -> Result<()> {
    let Arguments {
        x: _,
        gamma,
        beta,
        mean,
        variance,
    } = Arguments::random(1, &[1, 6, 1, 1], DType::F64)?;
    let rng = Rng::new(2);
    let x = rng
        .stream("x")
        .normal((2, 4, 7, 6), 0., 1., DType::F64, CPU)?;
    // Two groups: a weight has the inputs of its group only.
    let weight = rng
        .stream("weight")
        .normal((6, 2, 3, 3), 0., 1., DType::F64, CPU)?;
    let bias = rng.stream("bias").normal(6, 0., 1., DType::F64, CPU)?;
    let conv = |weight: &Tensor, bias: &Tensor| -> Result<Tensor> {
        Ok(x.conv2d(weight, 1, 1, 1, 2)?
            .broadcast_add(&bias.reshape((1, 6, 1, 1))?)?)
    };
    let apart = batch_norm_eval(
        &conv(&weight, &bias)?,
        &gamma,
        &beta,
        [&mean, &variance],
        EPS,
    )?;
    let (weight, bias) = fold_batch_norm(
        &weight,
        Some(&bias),
        [&gamma, &beta],
        [&mean, &variance],
        EPS,
    )?;
    // Sums of 18 products of size one.
    assert_close(&values(&conv(&weight, &bias)?), &values(&apart), 1e-13);
    Ok(())
}

#[test]
fn fused_normalisation_is_its_composite() -> Result<()> {
    // Planes around the kernel's sixteen lanes and its blocks of 1024.
    for shape in [
        [1, 1, 1, 2],
        [2, 1, 1, 1],
        [2, 3, 1, 1],
        [3, 2, 3, 5],
        [1, 2, 4, 4],
        [2, 1, 17, 1],
        [2, 5, 15, 17],
        [1, 2, 31, 33],
        [1, 1, 32, 33],
        [300, 2, 1, 1],
    ] {
        // Composite f32 sums are in f32, of some thousand numbers of size five.
        for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 3e-4)] {
            let arguments = Arguments::random(3, &shape, dtype)?;
            assert_all_close(
                &arguments.train(batch_norm)?,
                &arguments.train(batch_norm_composite)?,
                tolerance,
            );
            assert_all_close(
                &arguments.eval(batch_norm_eval)?,
                &arguments.eval(batch_norm_eval_composite)?,
                tolerance,
            );
        }
    }
    Ok(())
}

#[test]
fn gradients_of_normalisation_are_slopes() -> Result<()> {
    let arguments = Arguments::random(4, &[3, 2, 2, 3], DType::F64)?;
    let (mean, variance) = (&arguments.mean, &arguments.variance);
    type Function<'a> = Box<dyn Fn(&Tensor, &Tensor, &Tensor) -> Result<Tensor> + 'a>;
    let mut functions: Vec<Function> = vec![];
    for op in TRAIN {
        functions.push(Box::new(move |x, gamma, beta| {
            Ok(op(x, gamma, beta, EPS)?.output)
        }));
    }
    for op in EVAL {
        functions.push(Box::new(move |x, gamma, beta| {
            op(x, gamma, beta, [mean, variance], EPS)
        }));
    }
    let h = 1e-5;
    for function in functions {
        let gradients = &arguments.with_gradients(&function(
            &arguments.x,
            &arguments.gamma,
            &arguments.beta,
        )?)?[1..];
        for (which, gradient) in gradients.iter().enumerate() {
            for (index, gradient) in gradient.iter().enumerate() {
                let at = |by: f64| -> Result<f64> {
                    let mut tensors = arguments.variables().map(|v| v.as_detached_tensor());
                    let mut numbers = values(&tensors[which]);
                    numbers[index] += by;
                    tensors[which] = Tensor::from_vec(numbers, tensors[which].shape(), CPU)?;
                    let y = function(&tensors[0], &tensors[1], &tensors[2])?;
                    Ok((&y * wave(y.dims(), 5.)?)?.sum_all()?.to_scalar()?)
                };
                let slope = (at(h)? - at(-h)?) / (2. * h);
                // h² and rounding over h, times some ten.
                assert!(
                    (slope - gradient).abs() < 1e-8,
                    "argument {which}, {index}: {gradient} {slope}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn output_has_mean_beta_and_deviation_gamma() -> Result<()> {
    let (one, zero) = (
        Tensor::ones(3, DType::F64, CPU)?,
        Tensor::zeros(3, DType::F64, CPU)?,
    );
    let x = Rng::new(5).normal((4, 3, 9, 7), 50., 3., DType::F64, CPU)?;
    for op in TRAIN {
        // An eps this small leaves the variance at 1.
        let y = op(&x, &one, &zero, 1e-15)?
            .output
            .transpose(0, 1)?
            .flatten_from(1)?;
        assert_close(&values(&y.mean(1)?), &[0.; 3], 1e-12);
        assert_close(&values(&y.sqr()?.mean(1)?), &[1.; 3], 1e-12);
    }
    Ok(())
}

#[test]
fn a_shift_of_x_changes_nothing() -> Result<()> {
    for (dtype, shift, tolerance) in [(DType::F64, 1e6, 1e-8), (DType::F32, 1000., 1e-3)] {
        let arguments = Arguments::random(6, &[4, 3, 9, 7], dtype)?;
        let shifted = Arguments {
            x: var((arguments.x.as_tensor() + shift)?)?,
            ..Arguments::random(6, &[4, 3, 9, 7], dtype)?
        };
        for op in TRAIN {
            // The shifted x is rounded to 1e6·1e-16 in f64 and 1000·6e-8 in f32.
            let (plain, shifted) = (arguments.train(op)?, shifted.train(op)?);
            assert_all_close(&shifted[..4], &plain[..4], tolerance);
            assert_close(&shifted[5], &plain[5], 100. * tolerance);
            // So the gradient of x has the sum 0 in every channel.
            let of_x = Tensor::from_slice(&plain[1], (4, 3, 63), CPU)?.sum((0, 2))?;
            assert_close(&values(&of_x), &[0.; 3], tolerance);
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn normalisation_of_any_shape_is_its_composite(
        shape in (1..6usize, 1..5usize, 1..12usize, 1..40usize),
        seed in 0..1000u64,
    ) {
        prop_assume!(shape.0 * shape.2 * shape.3 > 1);
        let arguments = Arguments::random(seed, &[shape.0, shape.1, shape.2, shape.3], DType::F64)?;
        assert_all_close(&arguments.train(batch_norm)?, &arguments.train(batch_norm_composite)?, 1e-10);
        assert_all_close(&arguments.eval(batch_norm_eval)?, &arguments.eval(batch_norm_eval_composite)?, 1e-10);
    }
}

#[test]
fn views_are_normalised_like_copies() -> Result<()> {
    let wide = var(Rng::new(7).normal((4, 9, 10, 6), 0., 1., DType::F64, CPU)?)?;
    let view = wide.transpose(1, 3)?.narrow(0, 1, 3)?.narrow(2, 2, 7)?;
    let vectors = var(Rng::new(8).uniform((8, 4), 0.5, 2., DType::F64, CPU)?)?;
    let column = |index: usize| vectors.narrow(0, 1, 6)?.narrow(1, index, 1)?.squeeze(1);
    let (gamma, beta, mean, variance) = (column(0)?, column(1)?, column(2)?, column(3)?);
    let copy = Arguments {
        x: var(view.contiguous()?)?,
        gamma: var(gamma.contiguous()?)?,
        beta: var(beta.contiguous()?)?,
        mean: mean.contiguous()?.detach(),
        variance: variance.contiguous()?.detach(),
    };
    let outputs = [
        (
            batch_norm(&view, &gamma, &beta, EPS)?.output,
            copy.train(batch_norm)?,
        ),
        (
            batch_norm_eval(&view, &gamma, &beta, [&mean, &variance], EPS)?,
            copy.eval(batch_norm_eval)?,
        ),
    ];
    for (output, expected) in outputs {
        assert_eq!(values(&output), expected[0]);
        // What flows back is a view too.
        let along = wave(output.dims(), 5.)?
            .transpose(2, 3)?
            .contiguous()?
            .transpose(2, 3)?;
        let gradients = (&output * along)?.sum_all()?.backward()?;
        let of_view = gradients
            .get(&wide)
            .map(|g| g.transpose(1, 3)?.narrow(0, 1, 3)?.narrow(2, 2, 7))
            .transpose()?;
        assert_close(
            &of_view.as_ref().map_or(vec![], values),
            &expected[1],
            1e-14,
        );
        let of_vectors = gradients
            .get(&vectors)
            .map(|g| g.narrow(0, 1, 6)?.t()?.narrow(0, 0, 2))
            .transpose()?;
        assert_close(
            &of_vectors.as_ref().map_or(vec![], values),
            &expected[2..4].concat(),
            1e-12,
        );
    }
    Ok(())
}

#[test]
fn no_images_are_evaluated_to_none() -> Result<()> {
    for shape in [[0, 3, 4, 4], [2, 3, 0, 4]] {
        let arguments = Arguments::random(9, &shape, DType::F32)?;
        for op in EVAL {
            assert_eq!(
                arguments.eval(op)?,
                [vec![], vec![], vec![0.; 3], vec![0.; 3]]
            );
        }
    }
    Ok(())
}

#[test]
fn number_of_threads_changes_no_bit_of_normalisation() -> Result<()> {
    let arguments = Arguments::random(10, &[8, 17, 13, 15], DType::F32)?;
    let on = |threads| {
        with_threads(threads, || {
            Ok((
                arguments.train(batch_norm)?,
                arguments.eval(batch_norm_eval)?,
            ))
        })
    };
    let one: Result<_> = on(1);
    assert_eq!(one?, on(2)?);
    Ok(())
}

#[test]
fn only_what_is_asked_for_gets_a_gradient() -> Result<()> {
    let Arguments {
        x,
        gamma,
        beta,
        mean,
        variance,
    } = Arguments::random(11, &[2, 3, 4, 5], DType::F64)?;
    let all = [&x, &gamma, &beta];
    // Each alone, and pairs, must get what they get together.
    for wanted in 0..8 {
        let is_wanted = |which: usize| wanted >> which & 1 == 1;
        let argument = |which: usize| {
            if is_wanted(which) {
                all[which].as_tensor().clone()
            } else {
                all[which].as_detached_tensor()
            }
        };
        let (x, gamma, beta) = (argument(0), argument(1), argument(2));
        let train = batch_norm(&x, &gamma, &beta, EPS)?;
        assert!(!train.mean.track_op() && !train.variance.track_op());
        let eval = batch_norm_eval(&x, &gamma, &beta, [&mean, &variance], EPS)?;
        let together = [
            batch_norm_composite(all[0], all[1], all[2], EPS)?.output,
            batch_norm_eval_composite(all[0], all[1], all[2], [&mean, &variance], EPS)?,
        ];
        for (some, together) in [train.output, eval].iter().zip(together) {
            let along = wave(some.dims(), 1.)?;
            let (some, together) = (
                (some * &along)?.sum_all()?.backward()?,
                (together * along)?.sum_all()?.backward()?,
            );
            for (which, variable) in all.into_iter().enumerate() {
                match (some.get(variable), together.get(variable)) {
                    (Some(got), Some(expected)) if is_wanted(which) => {
                        assert_close(&values(got), &values(expected), 1e-12);
                    }
                    (got, _) => assert!(got.is_none() && !is_wanted(which)),
                }
            }
        }
    }
    Ok(())
}

#[test]
fn bad_arguments_are_refused() -> Result<()> {
    let of = |shape: &[usize]| Tensor::ones(shape, DType::F32, CPU);
    let (x, three, two) = (of(&[2, 3, 4, 4])?, of(&[3])?, of(&[2])?);
    for op in TRAIN {
        let text =
            |x: &Tensor, gamma: &Tensor, beta: &Tensor, eps| message(op(x, gamma, beta, eps));
        assert_eq!(
            text(&x, &two, &three, EPS),
            "batch_norm: gamma has shape [2]; expected (3,), a number for each channel"
        );
        assert!(text(&x, &three, &two, EPS).starts_with("batch_norm: beta has shape [2]"));
        assert_eq!(
            text(&x, &three, &three.to_dtype(DType::F64)?, EPS),
            "beta is F64; expected F32, as x"
        );
        for eps in [0., -1., f64::NAN, f64::INFINITY] {
            assert_eq!(
                text(&x, &three, &three, eps),
                format!("eps is {eps}; expected a finite number > 0")
            );
        }
        assert_eq!(
            text(&three, &three, &three, EPS),
            "batch_norm: x has shape [3]; expected (N, C, H, W)"
        );
        for shape in [[1, 3, 1, 1], [0, 3, 4, 4], [2, 3, 0, 4]] {
            assert_eq!(
                text(&of(&shape)?, &three, &three, EPS),
                format!(
                    "batch_norm: x has shape {shape:?}; expected (N, C, H, W) with N·H·W at least 2 in training"
                )
            );
        }
        let batch = op(&x, &three, &three, EPS)?;
        assert_eq!(
            message(batch.running(&three, &three, 1.5)),
            "momentum is 1.5; expected a number in [0, 1]"
        );
        assert!(
            message(batch.running(&two, &three, 0.1)).starts_with("batch_norm: mean has shape [2]")
        );
        assert!(
            message(batch.running(&three, &two, 0.1))
                .starts_with("batch_norm: variance has shape [2]")
        );
    }
    for op in EVAL {
        let text = |mean: &Tensor, variance: &Tensor, eps| {
            message(op(&x, &three, &three, [mean, variance], eps))
        };
        assert!(
            text(&two, &three, EPS).starts_with("batch_norm: mean has shape [2]; expected (3,)")
        );
        assert!(
            text(&three, &two, EPS)
                .starts_with("batch_norm: variance has shape [2]; expected (3,)")
        );
        assert_eq!(
            text(&three, &three, 0.),
            "eps is 0; expected a finite number > 0"
        );
    }
    let weight = of(&[3, 2, 1, 1])?;
    let text = |weight: &Tensor, bias: &Tensor, gamma: &Tensor, eps| {
        message(fold_batch_norm(
            weight,
            Some(bias),
            [gamma, &three],
            [&three, &three],
            eps,
        ))
    };
    assert_eq!(
        text(&weight, &two, &three, EPS),
        "fold_batch_norm: conv_bias has shape [2]; expected (3,), a number for each output"
    );
    assert!(text(&weight, &three, &two, EPS).starts_with("fold_batch_norm: gamma has shape [2]"));
    assert!(
        text(&three, &three, &three, EPS).starts_with("fold_batch_norm: conv_weight has shape [3]")
    );
    assert_eq!(
        text(&weight, &three, &three, -1.),
        "eps is -1; expected a finite number > 0"
    );
    Ok(())
}
