//! Convolutions of 3×3 that are computed by Winograd's transforms: against the definition in f64,
//! PyTorch, slopes, and whatever must change no bit.

mod common;

use common::{
    CPU, assert_close, gradients_along, run_with_every_instruction_set, values, wave, with_threads,
};
use isopath::Result;
use isopath::candle::{DType, Tensor, Var};
use isopath::ops::{
    Conv2dParams, ConvUnit, FrozenUnits, UnitNorm, conv_units, conv2d, conv2d_composite,
};
use isopath::rng::Rng;

fn random(name: &str, shape: &[usize], dtype: DType) -> Result<Var> {
    let mut rng = Rng::new(3).stream(name);
    Ok(Var::from_tensor(&rng.normal(shape, 0., 1., dtype, CPU)?)?)
}

fn padded(padding: usize) -> Conv2dParams {
    Conv2dParams {
        padding,
        ..Conv2dParams::default()
    }
}

/// Images, channels, outputs, height, width, padding.
const CASES: [[usize; 6]; 6] = [
    [1, 16, 16, 4, 4, 1],
    [14, 17, 20, 7, 8, 1],
    [3, 40, 33, 11, 16, 0],
    [2, 16, 40, 6, 6, 2],
    [27, 80, 16, 4, 4, 1],
    [2, 20, 130, 7, 12, 1],
];

/// The value, and the gradients of Σ value·wave in x, weight and bias.
fn all(
    op: fn(&Tensor, &Tensor, Option<&Tensor>, &Conv2dParams) -> Result<Tensor>,
    vars: [&Var; 3],
    padding: usize,
) -> Result<Vec<Vec<f64>>> {
    let y = op(vars[0], vars[1], Some(vars[2]), &padded(padding))?;
    let along = wave(y.dims(), 0.1)?.to_dtype(y.dtype())?;
    let gradients = gradients_along(&y, &along, &vars)?;
    Ok([vec![values(&y)], gradients].concat())
}

#[test]
fn is_the_sum_of_nine_taps() -> Result<()> {
    for (dtype, tolerance) in [(DType::F32, 5e-6), (DType::F64, 1e-14)] {
        for [images, inputs, outputs, height, width, padding] in CASES {
            let vars = [
                random("x", &[images, inputs, height, width], dtype)?,
                random("weight", &[outputs, inputs, 3, 3], dtype)?,
                random("bias", &[outputs], dtype)?,
            ];
            let [x, weight, bias] = vars.each_ref().map(|var| {
                let numbers = var.to_dtype(DType::F64).expect("numbers");
                Var::from_tensor(&numbers).expect("a variable")
            });
            let expected = all(conv2d_composite, [&x, &weight, &bias], padding)?;
            let [x, weight, bias] = vars.each_ref();
            let got = all(conv2d, [x, weight, bias], padding)?;
            for (got, expected) in got.iter().zip(&expected) {
                // Five times the root mean square of the rounding, of sums of 720 terms at most.
                let largest = expected.iter().fold(10f64, |most, v| most.max(v.abs()));
                assert_close(got, expected, largest * tolerance);
            }
        }
    }
    Ok(())
}

#[test]
fn rounds_little_more_than_nine_taps() -> Result<()> {
    let x = random("x", &[8, 128, 8, 8], DType::F32)?.relu()?;
    let weight = random("weight", &[128, 128, 3, 3], DType::F32)?;
    let along = random("along", &[8, 128, 8, 8], DType::F32)?;
    // The results, and the gradient of the weight.
    let run = |op: fn(&Tensor, &Tensor, Option<&Tensor>, &Conv2dParams) -> Result<Tensor>,
               dtype|
     -> Result<[Vec<f64>; 2]> {
        let weight = Var::from_tensor(&weight.to_dtype(dtype)?)?;
        let y = op(&x.to_dtype(dtype)?, &weight, None, &padded(1))?;
        let gradients = gradients_along(&y, &along.to_dtype(dtype)?, &[&weight])?;
        Ok([values(&y), gradients.concat()])
    };
    let (got, exact) = (run(conv2d, DType::F32)?, run(conv2d_composite, DType::F64)?);
    let square = |numbers: &mut dyn Iterator<Item = f64>| numbers.map(|v| v * v).sum::<f64>();
    // `fixtures/winograd.py`: 9.2e-7 and 5.8e-7 with these points, 1.9e-6 and 1.1e-6 with the usual
    // ones, 4.5e-7 and 3.0e-7 for nine taps in order.
    for ((got, exact), limit) in got.iter().zip(&exact).zip([1.2e-6, 7.5e-7]) {
        let error = square(&mut got.iter().zip(exact).map(|(got, exact)| got - exact));
        let error = (error / square(&mut exact.iter().copied())).sqrt();
        assert!(error > 1e-8 && error < limit, "{error:e}, limit {limit:e}");
    }
    Ok(())
}

#[test]
fn threads_change_no_bit_of_the_weights_gradient() -> Result<()> {
    // One image, whose sums threads share out, and several, which they share out themselves.
    for [images, inputs, outputs, side] in [[1, 60, 33, 12], [5, 17, 40, 7], [40, 32, 16, 4]] {
        let x = random("x", &[images, inputs, side, side], DType::F32)?;
        let weight = random("weight", &[outputs, inputs, 3, 3], DType::F32)?;
        let run = |threads| {
            with_threads(threads, || -> Result<_> {
                let y = conv2d(&x, &weight, None, &padded(1))?;
                let along = wave(y.dims(), 0.1)?.to_dtype(DType::F32)?;
                Ok(gradients_along(&y, &along, &[&weight])?.concat())
            })
        };
        let one = run(1)?;
        assert_eq!(one, run(2)?, "{images} images");
        assert_eq!(one, run(3)?, "{images} images");
    }
    Ok(())
}

// torch 2.15.0, in f64, every 197th number, 13 digits: def wave(shape, start): return
// torch.sin(torch.arange(torch.Size(shape).numel(), dtype=torch.float64) + start).reshape(shape)
// x, w, b = wave((2, 16, 8, 10), 0.), wave((17, 16, 3, 3), 0.3), wave((17,), 0.7), which require
// gradients; y = torch.nn.functional.conv2d(x, w, b, padding=1)
// (y * wave(y.shape, 0.1)).sum().backward(); print(y, x.grad, w.grad)
const PYTORCH: [&[f64]; 3] = [
    &[
        -1.794651354252,
        -1.326618068686,
        -2.393647620151,
        3.538975356261,
        1.247154610842,
        -2.94517478578,
        -1.307009060168,
        2.789568855922,
        -0.984374528273,
        -0.2227864376687,
        0.5656290607004,
        -1.533275090017,
        0.07079310655551,
        -0.06964460464842,
    ],
    &[
        -0.5024478919653,
        -0.58071838982,
        -0.4672790041114,
        0.5453384993054,
        -0.6291016704995,
        0.869981748099,
        0.49369773745,
        0.3995714589733,
        -0.9229090504001,
        0.7864898045024,
        -1.194155199836,
        -0.07486576106607,
        0.9043391375449,
    ],
    &[
        -28.49311785587,
        13.07106482835,
        -14.97348710263,
        -25.66127387655,
        -1.71303471518,
        0.9288988793858,
        -13.80802325782,
        -16.19410781165,
        16.85605432571,
        2.95548679445,
        -20.51266960228,
        -7.30965493999,
        6.362862142619,
    ],
];

#[test]
fn as_pytorch() -> Result<()> {
    let var =
        |shape: &[usize], start| -> Result<Var> { Ok(Var::from_tensor(&wave(shape, start)?)?) };
    let vars = [
        var(&[2, 16, 8, 10], 0.)?,
        var(&[17, 16, 3, 3], 0.3)?,
        var(&[17], 0.7)?,
    ];
    let [x, weight, bias] = vars.each_ref();
    let got = all(conv2d, [x, weight, bias], 1)?;
    for (got, expected) in got.iter().zip(PYTORCH) {
        let some: Vec<f64> = got.iter().copied().step_by(197).collect();
        assert_close(&some, expected, 1e-11);
    }
    Ok(())
}

#[test]
fn gradients_are_slopes() -> Result<()> {
    let vars = [
        random("x", &[2, 16, 7, 8], DType::F64)?,
        random("weight", &[18, 16, 3, 3], DType::F64)?,
        random("bias", &[18], DType::F64)?,
    ];
    let [x, weight, bias] = vars.each_ref();
    let gradients = all(conv2d, [x, weight, bias], 1)?;
    for (which, gradient) in gradients[1..].iter().enumerate() {
        for index in (0..gradient.len()).step_by(gradient.len().div_ceil(40)) {
            let moved = |by: f64| -> Result<f64> {
                let mut numbers = values(&vars[which]);
                numbers[index] += by;
                let moved = Tensor::from_vec(numbers, vars[which].shape(), CPU)?;
                let mut tensors = vars.each_ref().map(|var| var.as_tensor());
                tensors[which] = &moved;
                let y = conv2d(tensors[0], tensors[1], Some(tensors[2]), &padded(1))?;
                Ok((&y * wave(y.dims(), 0.1)?)?.sum_all()?.to_scalar()?)
            };
            // Linear in each argument, so that the slope is exact but for rounding.
            let slope = moved(0.5)? - moved(-0.5)?;
            let gradient = gradient[index];
            assert!(
                (slope - gradient).abs() < 1e-10,
                "{which} {index}: {gradient} {slope}"
            );
        }
    }
    Ok(())
}

/// A unit with a ReLU that reads x, and one whose residual is x.
fn units(channels: usize, dtype: DType) -> Result<Vec<ConvUnit>> {
    let unit = |name: &str, input, residual| -> Result<ConvUnit> {
        Ok(ConvUnit {
            input,
            residual,
            weight: random(name, &[channels, channels, 3, 3], dtype)?.detach(),
            conv: padded(1),
            norm: UnitNorm::Bias(random(name, &[channels], dtype)?.detach()),
            relu: true,
        })
    };
    Ok(vec![unit("a", 0, None)?, unit("b", 1, Some(0))?])
}

#[test]
fn neither_neighbours_nor_threads_change_a_bit() -> Result<()> {
    for [channels, side] in [[16, 12], [36, 7], [80, 4]] {
        let x = random("x", &[29, channels, side, side], DType::F32)?;
        let units = units(channels, DType::F32)?;
        let run = |images: std::ops::Range<usize>, threads| {
            with_threads(threads, || -> Result<_> {
                let x = Var::from_tensor(&x.narrow(0, images.start, images.len())?.copy()?)?;
                let y = conv_units(&x, &units, 1e-5)?.output;
                let along = Tensor::ones_like(&y)?;
                let gradient = gradients_along(&y, &along, &[&x])?.concat();
                Ok((values(&y), gradient))
            })
        };
        let (results, gradients) = run(0..29, 1)?;
        assert_eq!(run(0..29, 3)?, (results.clone(), gradients.clone()));
        let each = channels * side * side;
        for (images, threads) in [(4..5, 1), (4..5, 3), (7..9, 3), (28..29, 2)] {
            let own = images.start * each..images.end * each;
            let (result, gradient) = run(images, threads)?;
            assert_eq!(result, results[own.clone()], "{own:?}, {threads} threads");
            assert_eq!(
                gradient,
                gradients[own.clone()],
                "{own:?}, {threads} threads"
            );
        }
    }
    Ok(())
}

#[test]
fn frozen_units_take_images_of_any_size() -> Result<()> {
    let frozen = FrozenUnits::new(&units(16, DType::F32)?)?;
    // The second and the third are not computed so.
    let check = |side: usize| -> Result<()> {
        let x = random("x", &[2, 16, side, side], DType::F32)?;
        let expected = conv_units(&x, &units(16, DType::F32)?, 1e-5)?.output;
        assert_eq!(values(&frozen.forward(&x)?), values(&expected), "{side}");
        Ok(())
    };
    for side in [8, 5, 2, 7, 8] {
        check(side)?;
    }
    // And several at once, though the units keep what they need for images of one size.
    std::thread::scope(|scope| {
        let check = &check;
        let at_once = [8, 5, 12, 7]
            .map(|side| scope.spawn(move || (0..20).try_for_each(|more| check(side + more % 3))));
        at_once
            .into_iter()
            .try_for_each(|thread| thread.join().expect("no panic"))
    })
}

#[test]
fn zeros_give_the_bias() -> Result<()> {
    let x = Tensor::zeros((2, 16, 8, 8), DType::F32, CPU)?;
    let weight = random("weight", &[16, 16, 3, 3], DType::F32)?;
    let bias = random("bias", &[16], DType::F32)?;
    let y = conv2d(&x, &weight, Some(&bias), &padded(1))?;
    let expected = bias.reshape((1, 16, 1, 1))?.broadcast_as(y.shape())?;
    assert_eq!(values(&y), values(&expected));
    Ok(())
}

#[test]
fn with_every_instruction_set() {
    run_with_every_instruction_set("with_every_instruction_set");
}
