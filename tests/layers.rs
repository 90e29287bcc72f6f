//! The layers' kernels against their composite twins: values and every gradient.

mod common;

use common::{CPU, assert_close, values};
use isopath::Result;
use isopath::candle::{DType, Tensor, Var};
use isopath::ops;
use isopath::rng::Rng;

fn var(name: &str, shape: &[usize], dtype: DType) -> Result<Var> {
    Ok(Var::from_tensor(&Rng::new(1).stream(name).normal(shape, 0., 1., dtype, CPU)?)?)
}

/// The gradients of Σ_k c_k y_k with respect to `of`, c a wave, so that no two outputs count alike.
fn gradients(y: &Tensor, of: &[&Var]) -> Result<Vec<Vec<f64>>> {
    let weights = common::wave(y.dims(), 0.)?.to_dtype(y.dtype())?;
    let gradients = (y * weights)?.sum_all()?.backward()?;
    Ok(of.iter().map(|var| values(gradients.get(var).unwrap())).collect())
}

#[test]
fn linear_is_its_composite() -> Result<()> {
    for (dtype, tolerance) in [(DType::F64, 1e-12), (DType::F32, 2e-4)] {
        for (n, inputs, outputs) in [(1, 1, 1), (2, 3, 1), (1, 17, 16), (15, 16, 17), (100, 784, 10)] {
            let (x, w, b) =
                (var("x", &[n, inputs], dtype)?, var("w", &[outputs, inputs], dtype)?, var("b", &[outputs], dtype)?);
            let layer = candle_nn::Linear::new(w.as_tensor().clone(), Some(b.as_tensor().clone()));
            let (fused, composite) = (ops::linear(&layer, &x)?, ops::linear_composite(&layer, &x)?);
            assert_eq!(fused.dims(), [n, outputs]);
            assert_close(&values(&fused), &values(&composite), tolerance);
            let all = [&x, &w, &b];
            for (fused, composite) in gradients(&fused, &all)?.iter().zip(gradients(&composite, &all)?) {
                assert_close(fused, &composite, tolerance);
            }
            // A batch whose rows do not lie one after another.
            let strided = ops::linear(&layer, &x.t()?.contiguous()?.t()?)?;
            assert_close(&values(&strided), &values(&composite), tolerance);
        }
    }
    Ok(())
}

#[test]
fn linear_gives_only_the_gradients_that_can_be_used() -> Result<()> {
    let (x, w, b) = (var("x", &[3, 4], DType::F32)?, var("w", &[2, 4], DType::F32)?, var("b", &[2], DType::F32)?);
    let plain = |var: &Var| var.as_detached_tensor();
    let layer = |w: Tensor, b: Tensor| candle_nn::Linear::new(w, Some(b));
    let count = |layer: &candle_nn::Linear, x: &Tensor| -> Result<usize> {
        Ok(ops::linear(layer, x)?.sum_all()?.backward()?.get_ids().count())
    };
    assert_eq!(count(&layer(plain(&w), plain(&b)), &x)?, 1);
    assert_eq!(count(&layer(w.as_tensor().clone(), b.as_tensor().clone()), &plain(&x))?, 2);
    assert_eq!(count(&layer(w.as_tensor().clone(), b.as_tensor().clone()), &x)?, 3);

    let wrong = layer(plain(&w), plain(&var("b", &[3], DType::F32)?));
    assert!(ops::linear(&wrong, &x).is_err());
    assert!(ops::linear(&layer(plain(&w), plain(&b)), &plain(&var("x", &[3, 5], DType::F32)?)).is_err());
    assert!(ops::linear(&layer(plain(&w), plain(&b)), &x.to_dtype(DType::F64)?).is_err());
    Ok(())
}

#[test]
fn tanh_is_its_composite() -> Result<()> {
    for (dtype, tolerance) in [(DType::F64, 0.), (DType::F32, 5e-7)] {
        for shape in [&[1][..], &[17], &[3, 100]] {
            let x = Var::from_tensor(&(var("x", shape, dtype)?.as_tensor() * 3.)?)?;
            let (fused, composite) = (ops::tanh(&x)?, ops::tanh_composite(&x)?);
            assert_close(&values(&fused), &values(&composite), tolerance);
            assert_close(&gradients(&fused, &[&x])?[0], &gradients(&composite, &[&x])?[0], 2. * tolerance);
        }
    }
    let x = var("x", &[3, 4], DType::F32)?;
    let turned = values(&ops::tanh(&x)?.t()?);
    assert_eq!(values(&ops::tanh(&x.t()?)?), turned);
    Ok(())
}
