//! What is refused, with what is said.

use isopath::Result;
use isopath::candle::{DType, Tensor};
use isopath::models::{Activation, Layer, Mlp, Model, Network};
use isopath::paths::{
    CertifyParams, LipschitzCertifyParams, certify, certify_segments, lipschitz_certify,
};

use super::{params, point};
use crate::common::{CPU, build, message};

/// A network that says other layers than it computes, or others than are known.
#[derive(Clone)]
struct Says(Mlp, Vec<Layer>);

impl Network for Says {
    fn stages(&self) -> usize {
        1
    }

    fn stage(&self, _: usize, x: &Tensor) -> Result<Tensor> {
        self.0.forward(x)
    }

    fn layers(&self, _: usize) -> Result<Option<Vec<Layer>>> {
        Ok(Some(self.1.clone()).filter(|layers| !layers.is_empty()))
    }
}

#[test]
fn bad_input_is_refused() -> Result<()> {
    let network = build(&[2, 4, 3], 0, DType::F32)?.freeze()?;
    let (start, end) = (point(&[0., 1.], DType::F32)?, point(&[1., 1.], DType::F32)?);
    let refused = |class, end: &Tensor, params: &CertifyParams| {
        message(certify(&network, class, &start, end, params))
    };
    let own = params();
    assert_eq!(
        refused(3, &end, &own),
        "class is 3; expected below 3, the number of classes"
    );
    let none = CertifyParams {
        max_parts: 0,
        ..params()
    };
    assert_eq!(
        refused(0, &end, &none),
        "max_parts is 0; expected at least 1"
    );
    let none = CertifyParams {
        max_depth: 0,
        ..params()
    };
    assert_eq!(
        refused(0, &end, &none),
        "max_depth is 0; expected from 1 to 48"
    );
    assert_eq!(
        refused(0, &point(&[f64::NAN, 0.], DType::F32)?, &own),
        "points is partly NaN or ∞; expected finite numbers"
    );
    assert_eq!(
        refused(0, &point(&[0.], DType::F32)?, &own),
        "certify: end has shape [1, 1]; expected [1, 2], that of start"
    );
    assert_eq!(
        refused(0, &point(&[0., 0.], DType::F64)?, &own),
        "dtype of end is f64; expected f32, that of start"
    );
    let points = Tensor::cat(&[&start, &end], 0)?;
    let many = |pairs: &[[usize; 2]], classes: &[u32]| {
        message(certify_segments(&network, &points, pairs, classes, &own))
    };
    assert_eq!(
        many(&[[0, 2]], &[0]),
        "point of a pair is 2; expected below 2, the number of points"
    );
    assert_eq!(
        many(&[[0, 1]], &[]),
        "number of pairs and of classes is 1 and 0; expected as many of both, at least one"
    );
    let wide = points.to_dtype(DType::F64)?;
    assert_eq!(
        message(certify_segments(&network, &wide, &[[0, 1]], &[0], &own)),
        "dtype of points is f64; expected f32, that of the weights"
    );
    Ok(())
}

#[test]
fn networks_that_are_not_understood_are_refused() -> Result<()> {
    let mlp = build(&[2, 3], 0, DType::F32)?.freeze()?;
    let (start, end) = (point(&[0., 1.], DType::F32)?, point(&[1., 1.], DType::F32)?);
    let of = |layers: Vec<Layer>| {
        message(certify(
            &Says(mlp.clone(), layers),
            0,
            &start,
            &end,
            &params(),
        ))
    };
    let unknown = of(Vec::new());
    assert!(
        unknown.starts_with("layers is unknown in stage 0; expected affine maps"),
        "{unknown}"
    );
    assert!(unknown.contains("there is exact") && unknown.contains("lipschitz_certify"));
    let affine = |factor: f64| -> Result<Layer> {
        let weight = (mlp.weights()[0] * factor)?;
        Ok(Layer::Affine {
            input: 0,
            weight,
            bias: None,
        })
    };
    let pool = Layer::GlobalAveragePool { input: 0 };
    assert!(of(vec![pool]).starts_with("layers is others in stage 0"));
    let last = vec![affine(1.)?, Layer::Tanh { input: 1 }];
    assert!(of(last).contains("an activation after the last affine map"));
    assert!(of(vec![affine(2.)?]).contains("expected what the stages compute"));
    assert!(of(vec![affine(f64::NAN)?]).starts_with("weight is partly NaN"));
    let half = Model::on(0, DType::F16, CPU, |vb| {
        Mlp::new(&[2, 3], Activation::Relu, vb)
    })?;
    let (start, end) = (start.to_dtype(DType::F16)?, end.to_dtype(DType::F16)?);
    let found = message(certify(&half, 0, &start, &end, &params()));
    assert!(
        found.starts_with("dtype of weights is f16; expected F32 or F64"),
        "{found}"
    );
    Ok(())
}

#[test]
fn bad_limits_of_a_lipschitz_certificate_are_refused() -> Result<()> {
    let network = build(&[2, 4, 3], 0, DType::F32)?.freeze()?;
    let (start, end) = (point(&[0., 1.], DType::F32)?, point(&[1., 1.], DType::F32)?);
    let own = LipschitzCertifyParams::default();
    let refused = |class, params: LipschitzCertifyParams| {
        message(lipschitz_certify(&network, class, &start, &end, &params))
    };
    assert_eq!(
        refused(3, own.clone()),
        "class is 3; expected below 3, the number of classes"
    );
    assert_eq!(
        refused(
            0,
            LipschitzCertifyParams {
                parts: 0,
                ..own.clone()
            }
        ),
        "parts is 0; expected at least 1"
    );
    assert_eq!(
        refused(
            0,
            LipschitzCertifyParams {
                max_parts: 2,
                ..own.clone()
            }
        ),
        "max_parts is 2; expected at least 4, the first parts"
    );
    assert_eq!(
        refused(
            0,
            LipschitzCertifyParams {
                constant: Some(-1.),
                ..own.clone()
            }
        ),
        "constant is -1; expected a finite number ≥ 0"
    );
    let lie = LipschitzCertifyParams {
        constant: Some(1e-6),
        ..own
    };
    let found = refused(0, lie);
    assert!(
        found.starts_with("constant is 0.000001, by the margins at t = 0"),
        "{found}"
    );
    Ok(())
}
