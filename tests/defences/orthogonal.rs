//! Orthogonal initial weights.

use isopath::Result;
use isopath::candle::{DType, Tensor};
use isopath::models::{Activation, Initialisation, Mlp, Model, Network as _, orthogonal};
use isopath::rng::Rng;

use crate::common::{CPU, assert_close, message, values};
use crate::fixture::fixture;

#[test]
fn orthogonal_matrices_are_those_of_pytorch() -> Result<()> {
    for case in &fixture().orthogonal {
        let normal = Tensor::from_slice(&case.normal, case.shape.as_slice(), CPU)?;
        let found = orthogonal(&normal)?;
        assert_eq!(found.dims(), case.shape);
        assert_close(&values(&found), &case.orthogonal, 1e-13);
    }
    Ok(())
}

#[test]
fn their_rows_or_columns_are_orthogonal() -> Result<()> {
    for (rows, columns) in [(1, 1), (1, 4), (4, 1), (30, 30), (20, 50), (50, 20)] {
        let normal = Rng::new(0).normal((rows, columns), 0., 1., DType::F64, CPU)?;
        let w = orthogonal(&normal)?;
        let turned = w.t()?.contiguous()?;
        let product = match rows <= columns {
            true => w.matmul(&turned)?,
            false => turned.matmul(&w)?,
        };
        let one = Tensor::eye(rows.min(columns), DType::F64, CPU)?;
        assert_close(&values(&product), &values(&one), 1e-14);
    }
    let same = Tensor::ones((2, 2), DType::F32, CPU)?;
    assert_eq!(
        message(orthogonal(&same)),
        "matrix is neither; expected finite, its rows or columns independent"
    );
    let flat = Tensor::ones(2, DType::F32, CPU)?;
    assert!(message(orthogonal(&flat)).contains("expected (outputs, inputs)"));
    Ok(())
}

#[test]
fn weights_between_hidden_layers_are_orthogonal_and_stay_when_trained() -> Result<()> {
    let build = |initialisation| {
        Model::on(3, DType::F32, CPU, move |vb| {
            Mlp::initialised(&[9, 6, 6, 6, 4], Activation::Tanh, initialisation, vb)
        })
    };
    let [own, plain] = [Initialisation::Orthogonal, Initialisation::Uniform].map(build);
    let (own, plain) = (own?, plain?);
    let named = |model: &Model<Mlp>, name: &str| values(&model.parameters().named()[name]);
    for layer in [1, 2] {
        let w = own.weight(layer)?.unwrap();
        let one = Tensor::eye(6, DType::F32, CPU)?;
        assert_close(
            &values(&w.t()?.contiguous()?.matmul(&w)?),
            &values(&one),
            1e-6,
        );
    }
    // The rest is drawn as ever.
    for name in ["layers.0.weight", "layers.3.weight", "layers.1.bias"] {
        assert_eq!(named(&own, name), named(&plain, name));
    }
    // A copy takes over what training has made of them.
    let var = &own.parameters().named()["layers.1.weight"];
    var.set(&(var.as_tensor() * 2.)?)?;
    let x = Rng::new(1).normal((5, 9), 0., 1., DType::F32, CPU)?;
    assert_eq!(
        values(&own.freeze()?.forward(&x)?),
        values(&own.forward(&x)?)
    );
    assert_eq!(values(&own.freeze()?.weight(1)?.unwrap()), values(var));
    Ok(())
}
