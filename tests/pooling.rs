//! Pooling: the fused kernels, their composite twins, and PyTorch.

mod common;

use common::{CPU, assert_close, gradients_along, message, values, wave, with_threads};
use isopath::Result;
use isopath::candle::{DType, Tensor, Var};
use isopath::ops::{
    global_avg_pool2d, global_avg_pool2d_composite, max_pool2d, max_pool2d_composite,
};
use isopath::rng::Rng;
use proptest::prelude::*;

type Pair = (usize, usize);
type Op = fn(&Tensor, Pair, Pair, Pair) -> Result<Tensor>;
const BOTH: [Op; 2] = [max_pool2d, max_pool2d_composite];

/// Kernel, stride, padding.
type Window = (Pair, Pair, Pair);
const WINDOWS: [Window; 9] = [
    ((1, 1), (1, 1), (0, 0)),
    ((2, 2), (2, 2), (0, 0)),
    ((2, 2), (1, 1), (1, 1)),
    ((3, 3), (2, 2), (1, 1)),
    ((3, 3), (1, 1), (0, 0)),
    ((5, 5), (3, 3), (2, 2)),
    ((2, 2), (5, 4), (0, 1)),
    ((2, 3), (3, 1), (1, 0)),
    ((7, 1), (2, 3), (3, 0)),
];

fn random(seed: u64, shape: &[usize], dtype: DType) -> Result<Var> {
    Ok(Var::from_tensor(
        &Rng::new(seed).normal(shape, 0., 1., dtype, CPU)?,
    )?)
}

/// Whole numbers from −2 to 2 or so: most windows hold their largest number more than once.
fn with_ties(seed: u64, shape: &[usize], dtype: DType) -> Result<Var> {
    Ok(Var::from_tensor(&random(seed, shape, dtype)?.round()?)?)
}

fn fits(height: usize, width: usize, (kernel, _, padding): Window) -> bool {
    kernel.0 <= height + 2 * padding.0 && kernel.1 <= width + 2 * padding.1
}

/// The maxima, and the gradient of Σ y·along with a different weight for every number.
fn with_gradient(op: Op, x: &Var, (kernel, stride, padding): Window) -> Result<[Vec<f64>; 2]> {
    let y = op(x, kernel, stride, padding)?;
    let along = wave(y.dims(), 1.)?.to_dtype(y.dtype())?;
    let gradient = gradients_along(&y, &along, &[x])?.concat();
    Ok([values(&y), gradient])
}

/// ```python
/// import torch                                                    # 2.15.0
/// torch.set_default_dtype(torch.float64)
/// def wave(*shape, start):
///     return torch.sin(torch.arange(torch.Size(shape).numel()) + start).reshape(shape)
/// x = wave(1, 2, 5, 4, start=0.0).requires_grad_()
/// y = torch.nn.functional.max_pool2d(x, 3, 2, 1)
/// y.backward(wave(*y.shape, start=1.0))
/// print(y.tolist(), x.grad.tolist())
/// ```
#[test]
fn maxima_and_gradient_are_those_of_pytorch() -> Result<()> {
    let x = Var::from_tensor(&wave(&[1, 2, 5, 4], 0.)?)?;
    let expected = [
        [0.8414709848078965, 0.9092974268256817, 0.9893582466233818],
        [0.9906073556948704, 0.4201670368266409, 0.9906073556948704],
        [0.9129452507276277, 0.956375928404503, 0.9999118601072672],
        [0.9999118601072672, 0.9999118601072672, 0.9999118601072672],
    ];
    let expected_gradient = [
        [0.0, 0.8414709848078965, 0.9092974268256817, 0.0],
        [0.0, 0.0, 0.0, 0.0],
        [0.1411200080598672, 0.0, 0.0, 0.0],
        [0.0, -0.9589242746631385, -1.036217993506854, 0.0],
        [0.0, 0.0, 0.0, 0.0],
        [0.6569865987187891, 0.0, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.9893582466233818],
        [0.0, 0.0, 0.0, 0.0],
        [0.0, -1.6684657501987514, 0.0, 0.0],
        [0.0, 0.0, 0.0, 0.0],
    ];
    for op in BOTH {
        let [y, gradient] = with_gradient(op, &x, ((3, 3), (2, 2), (1, 1)))?;
        assert_close(&y, expected.as_flattened(), 1e-15);
        assert_close(&gradient, expected_gradient.as_flattened(), 1e-15);
    }
    // One number stands for rows and columns.
    assert_close(
        &values(&max_pool2d(&x, 3, 2, 1)?),
        expected.as_flattened(),
        1e-15,
    );
    Ok(())
}

/// ```python
/// import torch                                                    # 2.15.0
/// nan, inf = float("nan"), float("inf")
/// for rows in ([1, 1, 0, 1, 1, nan, nan, 0, 0], [-inf] * 9, [2] * 9, [nan, 1, 2, 1, nan, 0, 0, 0, 5]):
///     x = torch.tensor(rows, dtype=torch.float64).reshape(1, 1, 3, 3).requires_grad_()
///     y = torch.nn.functional.max_pool2d(x, 2, 1, 1)
///     y.backward(torch.arange(1.0, 17).reshape(y.shape))
///     print(y.flatten().tolist(), x.grad.flatten().tolist())
/// ```
#[test]
fn ties_nan_and_infinity_are_settled_as_in_pytorch() -> Result<()> {
    const NAN: f64 = f64::NAN;
    const LOW: f64 = f64::NEG_INFINITY;
    let first = [14., 10., 12., 19., 11., 12., 27., 15., 16.];
    let cases = [
        (
            [1., 1., 0., 1., 1., NAN, NAN, 0., 0.],
            [
                1., 1., 1., 0., 1., 1., NAN, NAN, NAN, NAN, NAN, NAN, NAN, NAN, 0., 0.,
            ],
            [14., 3., 4., 0., 0., 38., 46., 15., 16.],
        ),
        ([2.; 9], [2.; 16], first),
        (
            [NAN, 1., 2., 1., NAN, 0., 0., 0., 5.],
            [
                NAN, NAN, 2., 2., NAN, NAN, NAN, 2., 1., NAN, NAN, 5., 0., 0., 5., 5.,
            ],
            [8., 0., 15., 9., 34., 0., 27., 0., 43.],
        ),
        ([LOW; 9], [LOW; 16], first),
    ];
    let along = Tensor::arange(1f64, 17., CPU)?.reshape((1, 1, 4, 4))?;
    for dtype in [DType::F32, DType::F64] {
        for (numbers, expected, expected_gradient) in cases {
            for (op, is_composite) in BOTH.into_iter().zip([false, true]) {
                let x = Var::from_tensor(
                    &Tensor::from_slice(&numbers, (1, 1, 3, 3), CPU)?.to_dtype(dtype)?,
                )?;
                let y = op(&x, (2, 2), (1, 1), (1, 1))?;
                let text = |numbers: &[f64]| format!("{numbers:?}");
                assert_eq!(text(&values(&y)), text(&expected));
                let gradient = gradients_along(&y, &along.to_dtype(dtype)?, &[&x])?.concat();
                // What the composite's documentation excepts.
                if !(is_composite && numbers[0] == LOW) {
                    assert_eq!(gradient, expected_gradient, "{numbers:?}");
                }
            }
        }
    }
    Ok(())
}

#[test]
fn fused_pooling_is_its_composite() -> Result<()> {
    for (height, width) in [(1, 1), (2, 3), (3, 2), (15, 17), (16, 16), (17, 15)] {
        for window in WINDOWS
            .into_iter()
            .filter(|window| fits(height, width, *window))
        {
            // Sums of at most 49 products of size one.
            for (dtype, tolerance) in [(DType::F64, 1e-13), (DType::F32, 1e-5)] {
                for x in [
                    random(1, &[2, 3, height, width], dtype)?,
                    with_ties(2, &[3, 2, height, width], dtype)?,
                ] {
                    let [fused, fused_gradient] = with_gradient(BOTH[0], &x, window)?;
                    let [composite, gradient] = with_gradient(BOTH[1], &x, window)?;
                    assert_eq!(fused, composite, "{window:?}");
                    assert_close(&fused_gradient, &gradient, tolerance);
                    // Without a gradient the kernel is another one.
                    let (kernel, stride, padding) = window;
                    assert_eq!(
                        values(&max_pool2d(
                            &x.as_detached_tensor(),
                            kernel,
                            stride,
                            padding
                        )?),
                        fused
                    );
                }
            }
        }
    }
    Ok(())
}

#[test]
fn gradients_of_pooling_are_slopes() -> Result<()> {
    // Far enough apart that a step of h changes no maximum.
    let numbers = Rng::new(3)
        .permutation(2 * 2 * 6 * 5)
        .into_iter()
        .map(|n| n as f64 * 0.01)
        .collect::<Vec<_>>();
    let x = Var::from_tensor(&Tensor::from_vec(numbers.clone(), (2, 2, 6, 5), CPU)?)?;
    let h = 1e-3;
    for window in WINDOWS.into_iter().filter(|window| fits(6, 5, *window)) {
        for op in BOTH {
            let [_, gradient] = with_gradient(op, &x, window)?;
            let at = |index: usize, by: f64| -> Result<f64> {
                let mut numbers = numbers.clone();
                numbers[index] += by;
                let y = op(
                    &Tensor::from_vec(numbers, x.shape(), CPU)?,
                    window.0,
                    window.1,
                    window.2,
                )?;
                Ok((&y * wave(y.dims(), 1.)?)?.sum_all()?.to_scalar()?)
            };
            for (index, gradient) in gradient.into_iter().enumerate() {
                let slope = (at(index, h)? - at(index, -h)?) / (2. * h);
                // Piecewise linear: only rounding is left.
                assert!(
                    (slope - gradient).abs() < 1e-10,
                    "{window:?} {index}: {gradient} {slope}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn a_constant_stays_and_no_gradient_is_lost() -> Result<()> {
    for window in WINDOWS {
        for op in BOTH {
            let constant = Tensor::full(-3f32, (2, 3, 17, 16), CPU)?;
            let y = op(&constant, window.0, window.1, window.2)?;
            assert!(values(&y).iter().all(|v| *v == -3.));
            let x = with_ties(4, &[2, 3, 17, 16], DType::F64)?;
            let [y, gradient] = with_gradient(op, &x, window)?;
            let along: f64 = values(&wave(&[y.len()], 1.)?).iter().sum();
            assert!(
                (gradient.iter().sum::<f64>() - along).abs() < 1e-10,
                "{window:?}"
            );
        }
    }
    Ok(())
}

proptest! {
    #[test]
    fn pooling_of_any_shape_is_its_composite(
        shape in (0..3usize, 1..4usize, 1..12usize, 1..40usize),
        kernel in (1..6usize, 1..6usize),
        stride in (1..5usize, 1..5usize),
        padding in (0..3usize, 0..3usize),
        seed in 0..1000u64,
    ) {
        let padding = (padding.0.min(kernel.0 / 2), padding.1.min(kernel.1 / 2));
        let window = (kernel, stride, padding);
        prop_assume!(fits(shape.2, shape.3, window));
        let x = with_ties(seed, &[shape.0, shape.1, shape.2, shape.3], DType::F64)?;
        let [fused, fused_gradient] = with_gradient(BOTH[0], &x, window)?;
        let [composite, gradient] = with_gradient(BOTH[1], &x, window)?;
        prop_assert_eq!(fused, composite);
        assert_close(&fused_gradient, &gradient, 1e-13);
    }
}

#[test]
fn views_are_pooled_like_copies() -> Result<()> {
    let wide = random(5, &[4, 9, 10, 6], DType::F32)?;
    let view = wide.transpose(1, 3)?.narrow(0, 1, 3)?.narrow(2, 2, 7)?;
    let copy = Var::from_tensor(&view.contiguous()?)?;
    for op in BOTH {
        let y = op(&view, (3, 3), (2, 2), (1, 1))?;
        let [expected, gradient] = with_gradient(op, &copy, ((3, 3), (2, 2), (1, 1)))?;
        assert_eq!(values(&y), expected);
        // What flows back is a view too.
        let along = wave(y.dims(), 1.)?
            .to_dtype(DType::F32)?
            .transpose(2, 3)?
            .contiguous()?
            .transpose(2, 3)?;
        let of_wide = (&y * along)?.sum_all()?.backward()?;
        let of_view = of_wide
            .get(&wide)
            .map(|g| g.transpose(1, 3)?.narrow(0, 1, 3)?.narrow(2, 2, 7))
            .transpose()?;
        assert_close(&of_view.as_ref().map_or(vec![], values), &gradient, 1e-6);
    }
    for op in [global_avg_pool2d, global_avg_pool2d_composite] {
        assert_close(&values(&op(&view)?), &values(&op(&copy)?), 1e-6);
    }
    Ok(())
}

#[test]
fn no_images_are_pooled_to_none() -> Result<()> {
    let x = random(6, &[0, 3, 8, 8], DType::F32)?;
    for op in BOTH {
        let y = op(&x, (3, 3), (2, 2), (1, 1))?;
        assert_eq!(y.dims(), [0, 3, 4, 4]);
        assert!(
            gradients_along(&y, &y.zeros_like()?, &[&x])?
                .concat()
                .is_empty()
        );
    }
    for op in [global_avg_pool2d, global_avg_pool2d_composite] {
        assert_eq!(op(&x)?.dims(), [0, 3]);
    }
    Ok(())
}

#[test]
fn number_of_threads_changes_no_bit_of_pooling() -> Result<()> {
    let x = random(7, &[5, 7, 33, 31], DType::F32)?;
    let on = |threads| {
        with_threads(threads, || -> Result<_> {
            let means = global_avg_pool2d(&x)?;
            let of_means = gradients_along(&means, &means, &[&x])?;
            Ok((
                with_gradient(BOTH[0], &x, ((3, 3), (2, 2), (1, 1)))?,
                values(&means),
                of_means,
            ))
        })
    };
    assert_eq!(on(1)?, on(2)?);
    Ok(())
}

#[test]
fn data_gets_no_gradient() -> Result<()> {
    let (x, weight) = (
        random(8, &[2, 3, 4, 4], DType::F32)?,
        random(9, &[2, 3, 2, 2], DType::F32)?,
    );
    let y = (max_pool2d(&x.as_detached_tensor(), 2, 2, 0)? * weight.as_tensor())?;
    let gradients = y.sum_all()?.backward()?;
    assert!(gradients.get(&x).is_none() && gradients.get(&weight).is_some());
    Ok(())
}

/// ```python
/// # wave and x as for max_pool2d; torch 2.15.0
/// y = torch.nn.functional.adaptive_avg_pool2d(x, 1).flatten(1)
/// y.backward(wave(1, 2, start=1.0))
/// print(y.tolist(), x.grad[0, :, 0, 0].tolist())
/// ```
#[test]
fn means_and_gradient_are_those_of_pytorch() -> Result<()> {
    let x = Var::from_tensor(&wave(&[1, 2, 5, 4], 0.)?)?;
    for op in [global_avg_pool2d, global_avg_pool2d_composite] {
        let y = op(&x)?;
        assert_eq!(y.dims(), [1, 2]);
        assert_close(
            &values(&y),
            &[0.004263831684607716, 0.05339108067114906],
            1e-15,
        );
        let gradient = gradients_along(&y, &wave(&[1, 2], 1.)?, &[&x])?.concat();
        let expected = [[0.042073549240394824; 20], [0.04546487134128409; 20]];
        assert_close(&gradient, expected.as_flattened(), 1e-16);
    }
    Ok(())
}

#[test]
fn fused_mean_is_its_composite() -> Result<()> {
    for (height, width) in [
        (1, 1),
        (1, 2),
        (3, 1),
        (3, 5),
        (4, 4),
        (17, 1),
        (7, 7),
        (16, 17),
    ] {
        // The mean of at most 272 numbers of size one.
        for (dtype, tolerance) in [(DType::F64, 1e-14), (DType::F32, 1e-6)] {
            let x = random(10, &[3, 2, height, width], dtype)?;
            let along = wave(&[3, 2], 1.)?.to_dtype(dtype)?;
            let (fused, composite) = (global_avg_pool2d(&x)?, global_avg_pool2d_composite(&x)?);
            assert_close(&values(&fused), &values(&composite), tolerance);
            let gradient = |y| gradients_along(y, &along, &[&x]);
            assert_close(
                &gradient(&fused)?.concat(),
                &gradient(&composite)?.concat(),
                tolerance,
            );
        }
    }
    Ok(())
}

#[test]
fn bad_arguments_are_refused() -> Result<()> {
    let of = |shape: &[usize]| Tensor::zeros(shape, DType::F32, CPU);
    for op in BOTH {
        let text = |shape: &[usize], kernel, stride, padding| -> Result<String> {
            Ok(message(op(&of(shape)?, kernel, stride, padding)))
        };
        let plane = &[2, 3, 4, 5];
        assert_eq!(
            text(plane, (0, 2), (1, 1), (0, 0))?,
            "kernel is (0, 2); expected 1 to 65536 rows and columns"
        );
        assert_eq!(
            text(plane, (2, 2), (1, 0), (0, 0))?,
            "stride is (1, 0); expected at least 1 row and 1 column"
        );
        assert_eq!(
            text(plane, (3, 3), (1, 1), (1, 2))?,
            "padding is (1, 2); expected at most (1, 1), half the kernel (3, 3)"
        );
        assert_eq!(
            text(plane, (7, 7), (1, 1), (1, 1))?,
            "kernel is (7, 7); expected at most (6, 7), the plane 4 × 5 with padding (1, 1)"
        );
        assert_eq!(
            text(&[3, 4, 5], (2, 2), (1, 1), (0, 0))?,
            "max_pool2d: x has shape [3, 4, 5]; expected (N, C, H, W) with C, H, W at least 1"
        );
        assert!(text(&[2, 3, 0, 5], (2, 2), (1, 1), (0, 0))?.contains("[2, 3, 0, 5]"));
        let huge = usize::MAX;
        assert!(text(plane, (huge, huge), (1, 1), (huge / 2, huge / 2))?.starts_with("kernel is"));
        assert!(text(plane, (3, 3), (1, 1), (huge, huge))?.starts_with("padding is"));
        assert_eq!(
            op(&of(plane)?, (2, 2), (huge, huge), (0, 0))?.dims(),
            [2, 3, 1, 1]
        );
    }
    for op in [global_avg_pool2d, global_avg_pool2d_composite] {
        assert_eq!(
            message(op(&of(&[2, 3, 0, 4])?)),
            "global_avg_pool2d: x has shape [2, 3, 0, 4]; expected (N, C, H, W) with H, W at least 1"
        );
        assert!(message(op(&of(&[2, 3])?)).contains("(N, C, H, W)"));
    }
    Ok(())
}
