//! Convolutions: the fused kernels, their composite twins, PyTorch's numbers and slopes.

mod common;

use common::{CPU, assert_close, message, values, wave};
use isopath::Result;
use isopath::candle::{DType, Tensor, Var};
use isopath::ops::{
    Conv2dParams, ConvTranspose2dParams, conv_transpose2d, conv_transpose2d_composite, conv2d,
    conv2d_composite, conv2d_relu, conv2d_relu_composite,
};
use isopath::rng::Rng;
use proptest::prelude::*;

/// x, weight and bias to the result.
type Op<'a> = &'a dyn Fn(&Tensor, &Tensor, Option<&Tensor>) -> Result<Tensor>;

fn random(seed: u64, shape: &[usize], dtype: DType) -> Result<Var> {
    Ok(Var::from_tensor(
        &Rng::new(seed)
            .stream("convolution")
            .normal(shape, 0., 1., dtype, CPU)?,
    )?)
}

/// The value and the gradients of Σ value·sin(0.1 + index): of x, weight and bias. No gradient
/// counts as none.
fn with_gradients(op: Op, x: &Var, weight: &Var, bias: Option<&Var>) -> Result<Vec<Vec<f64>>> {
    let y = op(x, weight, bias.map(Var::as_tensor))?;
    let along = wave(y.dims(), 0.1)?.to_dtype(y.dtype())?;
    let gradients = (&y * along)?.sum_all()?.backward()?;
    let vars = [Some(x), Some(weight), bias].into_iter().flatten();
    let gradients = vars.map(|var| {
        let gradient = gradients.get(var).expect("a gradient for every variable");
        assert_eq!(gradient.dims(), var.dims());
        values(gradient)
    });
    Ok([values(&y)].into_iter().chain(gradients).collect())
}

/// The same numbers in f64: the composite's own sums round more than the fused kernel's.
fn double(var: &Var) -> Result<Var> {
    Ok(Var::from_tensor(&var.to_dtype(DType::F64)?)?)
}

/// Up to a few thousand terms of size one, relative to a sum of such: some hundred rounding errors.
fn tolerance(dtype: DType) -> f64 {
    if dtype == DType::F32 { 1e-5 } else { 3e-14 }
}

fn assert_same(fused: &[Vec<f64>], composite: &[Vec<f64>], dtype: DType) {
    assert_eq!(fused.len(), composite.len());
    for (fused, composite) in fused.iter().zip(composite) {
        let scale = composite
            .iter()
            .fold(10f64, |largest, v| largest.max(v.abs()));
        assert_close(fused, composite, scale * tolerance(dtype));
    }
}

/// Output channels and kernel of a case, and the image.
#[derive(Clone, Copy, Debug)]
struct Case {
    images: usize,
    /// Channels of one group.
    inputs: usize,
    outputs: usize,
    input: [usize; 2],
    kernel: [usize; 2],
    params: Conv2dParams,
}

impl Case {
    fn compare(self, dtype: DType) -> Result<()> {
        let Self {
            images,
            inputs,
            outputs,
            input,
            kernel,
            params,
        } = self;
        let groups = params.groups;
        let x = random(1, &[images, groups * inputs, input[0], input[1]], dtype)?;
        let weight = random(2, &[groups * outputs, inputs, kernel[0], kernel[1]], dtype)?;
        let bias = random(3, &[groups * outputs], dtype)?;
        for bias in [Some(&bias), None] {
            assert_same(
                &with_gradients(&|x, w, b| conv2d(x, w, b, &params), &x, &weight, bias)?,
                &with_gradients(
                    &|x, w, b| conv2d_composite(x, w, b, &params),
                    &double(&x)?,
                    &double(&weight)?,
                    bias.map(double).transpose()?.as_ref(),
                )?,
                dtype,
            );
        }
        Ok(())
    }

    /// The same numbers, with the kernel from `inputs` to `outputs` channels.
    fn compare_transposed(self, output_padding: usize, dtype: DType) -> Result<()> {
        let Self {
            images,
            inputs,
            outputs,
            input,
            kernel,
            params,
        } = self;
        let Conv2dParams {
            stride,
            padding,
            dilation,
            groups,
        } = params;
        let params = ConvTranspose2dParams {
            stride,
            padding,
            output_padding,
            dilation,
            groups,
        };
        let x = random(1, &[images, groups * inputs, input[0], input[1]], dtype)?;
        let weight = random(2, &[groups * inputs, outputs, kernel[0], kernel[1]], dtype)?;
        let bias = random(3, &[groups * outputs], dtype)?;
        for bias in [Some(&bias), None] {
            assert_same(
                &with_gradients(
                    &|x, w, b| conv_transpose2d(x, w, b, &params),
                    &x,
                    &weight,
                    bias,
                )?,
                &with_gradients(
                    &|x, w, b| conv_transpose2d_composite(x, w, b, &params),
                    &double(&x)?,
                    &double(&weight)?,
                    bias.map(double).transpose()?.as_ref(),
                )?,
                dtype,
            );
        }
        Ok(())
    }
}

fn params(stride: usize, padding: usize, dilation: usize, groups: usize) -> Conv2dParams {
    Conv2dParams {
        stride,
        padding,
        dilation,
        groups,
    }
}

#[test]
fn fused_kernel_is_its_composite() -> Result<()> {
    // Sizes around a vector's width in images, channels and outputs.
    for size in [1, 2, 3, 15, 16, 17] {
        for dtype in [DType::F64, DType::F32] {
            for (kernel, params) in [
                ([3, 3], params(1, 1, 1, 1)),
                ([1, 1], params(1, 0, 1, 1)),
                ([1, 1], params(2, 0, 1, 1)),
                ([3, 2], params(2, 1, 1, 1)),
            ] {
                for (images, inputs, outputs, input) in [
                    (size, 3, 2, [4, 5]),
                    (2, size, 3, [5, 4]),
                    (2, 2, size, [4, 4]),
                    (2, 3, 2, [size + 1, 17 - size + 2]),
                ] {
                    Case {
                        images,
                        inputs,
                        outputs,
                        input,
                        kernel,
                        params,
                    }
                    .compare(dtype)?;
                }
            }
        }
    }
    Ok(())
}

#[test]
fn large_cases_are_their_composite() -> Result<()> {
    // More terms than one part of a panel has; more images than one tile, and a rest; few channels.
    for (images, inputs, outputs, input, kernel, params) in [
        (2, 33, 40, [12, 13], [3, 3], params(1, 1, 1, 1)),
        (1, 3, 9, [75, 70], [7, 7], params(2, 3, 1, 1)),
        (9, 70, 10, [7, 7], [3, 3], params(1, 1, 1, 1)),
        (2, 270, 20, [16, 20], [1, 1], params(1, 0, 1, 1)),
        (9, 70, 10, [7, 7], [1, 1], params(1, 0, 1, 1)),
        (20, 5, 33, [9, 10], [1, 1], params(2, 0, 1, 1)),
        (1, 20, 90, [14, 14], [1, 1], params(1, 0, 1, 1)),
        (2, 4, 5, [40, 45], [3, 3], params(1, 2, 2, 3)),
        (1, 150, 150, [23, 23], [1, 3], params(1, 1, 1, 1)),
        (14, 260, 40, [5, 6], [3, 3], params(2, 1, 1, 1)),
    ] {
        Case {
            images,
            inputs,
            outputs,
            input,
            kernel,
            params,
        }
        .compare(DType::F32)?;
        Case {
            images,
            inputs,
            outputs,
            input,
            kernel,
            params,
        }
        .compare_transposed(0, DType::F32)?;
    }
    // Nothing reads the last rows and columns of what the transposed one gives.
    Case {
        images: 3,
        inputs: 5,
        outputs: 9,
        input: [4, 6],
        kernel: [1, 1],
        params: params(1, 0, 3, 1),
    }
    .compare_transposed(2, DType::F64)?;
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]
    #[test]
    fn any_shape_is_its_composite(
        images in 1usize..10,
        inputs in 1usize..8,
        outputs in 1usize..10,
        room in prop::array::uniform2(0usize..9),
        kernel in prop::array::uniform2(1usize..5),
        stride in 1usize..5,
        padding in 0usize..5,
        dilation in 1usize..4,
        groups in 1usize..4,
        output_padding in 0usize..4,
        single in any::<bool>(),
    ) {
        let dtype = if single { DType::F32 } else { DType::F64 };
        let span = kernel.map(|k| dilation * (k - 1) + 1);
        let size = |axis: usize| (span[axis] + room[axis]).saturating_sub(2 * padding).max(1);
        let case = Case {
            images, inputs, outputs, input: [size(0), size(1)], kernel, params: params(stride, padding, dilation, groups),
        };
        case.compare(dtype).unwrap();
        let output_padding = output_padding.min(stride.max(dilation) - 1);
        let [height, width] = case.input.map(|size| size + 2 * padding);
        Case { input: [height, width], ..case }.compare_transposed(output_padding, dtype).unwrap();
    }
}

#[test]
fn relu_is_fused_with_value_and_gradients() -> Result<()> {
    let params = params(2, 1, 1, 1);
    for dtype in [DType::F32, DType::F64] {
        let (x, weight) = (
            random(1, &[3, 4, 9, 8], dtype)?,
            random(2, &[5, 4, 3, 3], dtype)?,
        );
        let bias = random(3, &[5], dtype)?;
        for bias in [Some(&bias), None] {
            let fused =
                with_gradients(&|x, w, b| conv2d_relu(x, w, b, &params), &x, &weight, bias)?;
            let composite = with_gradients(
                &|x, w, b| conv2d_relu_composite(x, w, b, &params),
                &x,
                &weight,
                bias,
            )?;
            assert_same(&fused, &composite, dtype);
            assert!(fused[0].contains(&0.) && fused[0].iter().all(|y| *y >= 0.));
        }
    }
    let nan = (Tensor::ones((1, 1, 2, 2), DType::F32, CPU)? * f64::NAN)?;
    let weight = Tensor::ones((1, 1, 1, 1), DType::F32, CPU)?;
    assert!(
        values(&conv2d_relu(&nan, &weight, None, &Conv2dParams::default())?)
            .iter()
            .all(|y| y.is_nan())
    );
    Ok(())
}

// torch 2.15.0, in f64, printed with 13 digits: def wave(shape, start): return
// torch.sin(torch.arange(torch.Size(shape).numel()) + start).reshape(shape) def run(f, x, w, b): x,
// w, b = wave(x, 0.).requires_grad_(), wave(w, 0.3).requires_grad_(), wave(b, 0.7).requires_grad_()
// y = f(x, w, b); (y * wave(y.shape, 0.1)).sum().backward(); print(y, x.grad, w.grad, b.grad)
fn against_torch(ops: [Op; 2], shapes: [&[usize]; 3], expected: [&[f64]; 4]) -> Result<()> {
    let [x, weight, bias] = shapes;
    let var = |shape, start| -> Result<Var> { Ok(Var::from_tensor(&wave(shape, start)?)?) };
    let (x, weight, bias) = (var(x, 0.)?, var(weight, 0.3)?, var(bias, 0.7)?);
    for op in ops {
        for (got, expected) in with_gradients(op, &x, &weight, Some(&bias))?
            .iter()
            .zip(expected)
        {
            assert_close(got, expected, 1e-11);
        }
    }
    Ok(())
}

#[test]
fn strided_convolution_as_pytorch() -> Result<()> {
    // run(lambda x, w, b: F.conv2d(x, w, b, stride=2, padding=1), (1, 2, 5, 4), (2, 2, 3, 2), (2,))
    let params = params(2, 1, 1, 1);
    against_torch(
        [&|x, w, b| conv2d(x, w, b, &params), &|x, w, b| {
            conv2d_composite(x, w, b, &params)
        }],
        [&[1, 2, 5, 4], &[2, 2, 3, 2], &[2]],
        [
            &[
                2.251639028798,
                2.367166097659,
                -1.350089572689,
                -1.056993632204,
                -2.072421625129,
                -0.522820189063,
                0.5181361464265,
                1.047505359646,
                1.810464730798,
                3.20491593909,
                3.125887969847,
                -0.3665184097676,
                0.6597107068926,
                -1.679510993378,
                -1.301417841049,
                0.1260587067153,
                -0.444172271857,
                2.148850173773,
            ],
            &[
                0.1108509755559,
                0.04777578150963,
                -0.3885750111273,
                -0.3376968871266,
                -0.6631194442534,
                -0.8433850199728,
                -0.5646664902394,
                -0.7724776340258,
                -0.1849525632447,
                -0.1082606343761,
                0.3308863317909,
                0.2957056543313,
                0.6218717865874,
                0.7818163554326,
                0.6190592896873,
                0.8361922330299,
                0.2553523241226,
                0.1665786499095,
                -0.266574960274,
                -0.247795870854,
                0.2158252168715,
                0.1834730367888,
                -0.2875194575729,
                -0.2085952211809,
                -0.5638555418885,
                -0.7736045705739,
                -0.7209198811538,
                -0.8978792265892,
                -0.2814405568238,
                -0.2332445480376,
                0.2223941050553,
                0.1568368605112,
                0.4884020736562,
                0.6853806395262,
                0.7429433395531,
                0.9372733423274,
                0.3414228621178,
                0.2783476680715,
                -0.1528175330129,
                -0.1019394090121,
            ],
            &[
                1.113414257827,
                1.017036517257,
                0.9048551113016,
                0.801669490253,
                -1.23334248476,
                -1.157473709935,
                -0.4635116880793,
                -0.376403041383,
                1.397924635137,
                1.299710634716,
                0.2858126195623,
                0.1791831564008,
                -0.6316942713342,
                -0.4868051006829,
                -1.236167308515,
                -1.16747884623,
                0.8095492207226,
                0.6783124301779,
                0.9277150487935,
                0.907900934983,
                -1.125241570524,
                -1.007268624892,
                -0.7877072912962,
                -0.7444451129565,
            ],
            &[1.668435359097, -1.037141038767],
        ],
    )
}

#[test]
fn dilated_convolution_in_groups_as_pytorch() -> Result<()> {
    // run(lambda x, w, b: F.conv2d(x, w, b, padding=2, dilation=2, groups=2), (1, 2, 3, 4), (4, 1,
    // 2, 3), (4,))
    let params = params(1, 2, 2, 2);
    against_torch(
        [&|x, w, b| conv2d(x, w, b, &params), &|x, w, b| {
            conv2d_composite(x, w, b, &params)
        }],
        [&[1, 2, 3, 4], &[4, 1, 2, 3], &[4]],
        [
            &[
                -0.1125609564073,
                -0.2441589539609,
                -0.1888496415939,
                0.3821899182595,
                1.57012277629,
                0.9759628875152,
                1.019590983839,
                0.1935751199282,
                0.8686402515177,
                2.014948241365,
                1.862725273134,
                1.880013753261,
                -0.2933671452303,
                0.2101566841856,
                0.1513341670005,
                0.9938810023216,
                1.191842546157,
                0.2956199179036,
                0.4123970463047,
                -0.1975417216937,
                0.1241775613743,
                0.2110482718522,
                0.2936100790239,
                0.9880537691034,
                1.839219110897,
                1.101039506644,
                1.111980705186,
                0.3679631536211,
                1.571497662878,
                2.472229441282,
                2.305731938535,
                1.944795102578,
                0.09597146146948,
                0.7688752953887,
                0.7413148365705,
                1.534267015939,
                1.342250771089,
                0.4399824639578,
                0.5456443064592,
                0.1481658377304,
                -0.2635682896216,
                -0.4572364444139,
                -0.3383110515789,
                0.2311825850452,
                1.338862827394,
                0.814046532165,
                0.7322470921423,
                -0.03768482896733,
                0.5449885873121,
                1.729528776317,
                1.599045577484,
                1.556362089055,
                -0.5064446356833,
                -0.06844818120127,
                0.0003268337861381,
                0.7808035118686,
                1.029926190807,
                0.1525526267317,
                0.1811370974092,
                -0.3594580770438,
                -1.323552874155,
                -1.285657371544,
                -1.172969420683,
                -0.4596766664256,
                0.2830459637561,
                -0.3823699497808,
                -0.4850786757704,
                -1.18820999352,
                -0.04895336982252,
                0.8617145147164,
                0.7663190481521,
                0.3243440698775,
                -1.400734181927,
                -0.7996022476684,
                -0.7064155989585,
                0.03756137254239,
                -0.1411586853359,
                -1.005684446527,
                -1.010528840681,
                -1.335243618694,
            ],
            &[
                -0.08871771566605,
                -2.148299737027,
                -2.241536074795,
                -2.482305897653,
                1.947017159214,
                2.368370406674,
                2.608457006874,
                0.8127948556988,
                -2.456592975998,
                -0.9478406793019,
                -1.168466490885,
                1.419749552657,
                -2.375408707111,
                -0.9894296277687,
                -0.9638060860042,
                1.53306188673,
                1.288244665224,
                -1.008860868771,
                -1.217169405963,
                -2.613876352647,
                0.6913028920397,
                2.308300570191,
                2.554996121441,
                1.884025320537,
            ],
            &[
                -2.712827862862,
                -1.152381329281,
                2.578681992973,
                -1.554468456652,
                6.00325859693,
                -1.009798843442,
                0.691583485061,
                -5.855142176423,
                1.637901075716,
                -3.346360128362,
                2.192456502661,
                1.831858957852,
                2.916303332025,
                -0.2981759843499,
                -2.537294237058,
                0.3869736548091,
                -5.601617341942,
                1.333291245464,
                0.4414555539239,
                5.087330464777,
                -1.925075787605,
                2.900935904258,
                -3.313152260739,
                -1.618223484528,
            ],
            &[
                0.1978147627571,
                1.100813278467,
                0.7006295419393,
                -0.5289845823827,
            ],
        ],
    )
}

#[test]
fn transposed_in_groups_as_pytorch() -> Result<()> {
    // run(lambda x, w, b: F.conv_transpose2d(x, w, b, stride=2, padding=1, output_padding=1,
    // groups=2), (1, 2, 2, 3), (2, 1, 3, 2), (2,))
    let params = ConvTranspose2dParams {
        stride: 2,
        padding: 1,
        output_padding: 1,
        groups: 2,
        ..Default::default()
    };
    against_torch(
        [&|x, w, b| conv_transpose2d(x, w, b, &params), &|x, w, b| {
            conv_transpose2d_composite(x, w, b, &params)
        }],
        [&[1, 2, 2, 3], &[2, 1, 3, 2], &[2]],
        [
            &[
                0.6442176872377,
                1.271706986504,
                0.5114792626378,
                1.32228551784,
                0.5007799334604,
                0.7801950261299,
                -0.3503597956215,
                -0.7853344560921,
                -0.472231141415,
                -1.036540290454,
                0.6219566136088,
                0.07986612189822,
                0.7636000221894,
                -0.07085714246139,
                0.7954838625752,
                0.5267680990831,
                1.337574354286,
                1.274079764276,
                1.522751443606,
                1.442299140598,
                0.9568903157052,
                1.584379614972,
                1.073429698848,
                1.884235954051,
                1.114794820678,
                1.608713226343,
                0.4781584045913,
                -0.09776852674831,
                0.2153347879289,
                -0.8026302937963,
                1.04295477895,
                0.5008642872393,
                0.9239589767211,
                0.08950181207029,
                0.8672116057835,
                0.5984958422913,
                1.409302097494,
                1.510671422594,
                1.759343101924,
                1.945674717215,
            ],
            &[
                0.7547771260266,
                0.08860429567618,
                -0.9940685773583,
                -1.268862669656,
                1.146904369817,
                1.233698750226,
                0.1493529311951,
                -0.823896045081,
                -0.3464356881186,
                0.3442506663256,
                1.902019700369,
                -0.9106503635163,
            ],
            &[
                -0.7921898455831,
                -0.9883277296636,
                1.052646378991,
                -0.723869318282,
                1.671114757805,
                1.491257535992,
                -0.6213609902444,
                0.2196786391403,
                -1.19921605357,
                -2.370463673631,
                0.8660956903814,
                -1.003578490538,
            ],
            &[0.1978147627571, 1.100813278467],
        ],
    )
}

#[test]
fn transposed_dilated_as_pytorch() -> Result<()> {
    // run(lambda x, w, b: F.conv_transpose2d(x, w, b, padding=1, output_padding=1, dilation=2), (1,
    // 1, 3, 2), (1, 2, 2, 2), (2,))
    let params = ConvTranspose2dParams {
        padding: 1,
        output_padding: 1,
        dilation: 2,
        ..Default::default()
    };
    against_torch(
        [&|x, w, b| conv_transpose2d(x, w, b, &params), &|x, w, b| {
            conv_transpose2d_composite(x, w, b, &params)
        }],
        [&[1, 1, 3, 2], &[1, 2, 2, 2], &[2]],
        [
            &[
                0.6859215011836,
                1.520378665834,
                0.7801950261299,
                0.9883254866834,
                -0.08500555186042,
                -0.4125000714091,
                0.7494516127904,
                0.5007799334604,
                0.6219566136088,
                -0.07085714246139,
                0.7636000221894,
                0.7954838625752,
                0.8623754660742,
                0.2348861668075,
                0.8742152222979,
                1.88434697622,
                1.621526887491,
                2.50536400449,
                0.9940375882243,
                1.764964641268,
                1.11167843321,
                0.9755415531263,
                0.3480522538595,
                0.1761604908693,
            ],
            &[
                -0.1958478339823,
                -0.650230673663,
                0.5311633298498,
                0.9483935302254,
                -0.4642583428699,
                -0.9374769056749,
            ],
            &[
                -0.02578421400201,
                2.439249004281,
                -0.2967090187664,
                1.447429983941,
                -0.6111887977478,
                1.836343532804,
                -0.3613471140968,
                0.4718666671907,
            ],
            &[0.3679104843496, 0.5529990306127],
        ],
    )
}

#[test]
fn gradients_are_slopes() -> Result<()> {
    let (x, weight, bias) = (
        random(1, &[2, 4, 5, 6], DType::F64)?,
        random(2, &[6, 2, 3, 2], DType::F64)?,
        random(3, &[6], DType::F64)?,
    );
    let transposed_weight = random(2, &[4, 3, 3, 2], DType::F64)?;
    let convolution = params(2, 1, 2, 2);
    let transposed = ConvTranspose2dParams {
        stride: 3,
        padding: 2,
        output_padding: 2,
        dilation: 2,
        groups: 2,
    };
    let ops: [(Op, &Var); 2] = [
        (&|x, w, b| conv2d(x, w, b, &convolution), &weight),
        (
            &|x, w, b| conv_transpose2d(x, w, b, &transposed),
            &transposed_weight,
        ),
    ];
    for (op, weight) in ops {
        let vars = [&x, weight, &bias];
        let gradients = with_gradients(op, &x, weight, Some(&bias))?;
        let loss = |vars: [&Tensor; 3]| -> Result<f64> {
            let y = op(vars[0], vars[1], Some(vars[2]))?;
            Ok((&y * wave(y.dims(), 0.1)?)?.sum_all()?.to_scalar()?)
        };
        for (which, gradient) in gradients[1..].iter().enumerate() {
            for (index, gradient) in gradient.iter().enumerate() {
                let moved = |by: f64| -> Result<f64> {
                    let mut numbers = values(vars[which]);
                    numbers[index] += by;
                    let moved = Tensor::from_vec(numbers, vars[which].shape(), CPU)?;
                    let mut tensors = vars.map(Var::as_tensor);
                    tensors[which] = &moved;
                    loss(tensors)
                };
                // Linear in each argument, so that the slope is exact but for rounding.
                let slope = (moved(0.5)? - moved(-0.5)?) / 1.;
                assert!(
                    (slope - gradient).abs() < 1e-11,
                    "{which} {index}: {gradient} {slope}"
                );
            }
        }
    }
    Ok(())
}

#[test]
fn transposed_is_the_adjoint() -> Result<()> {
    // ⟨conv(x), y⟩ = ⟨x, convᵀ(y)⟩
    let x = random(1, &[2, 3, 9, 11], DType::F64)?;
    let weight = random(2, &[4, 3, 3, 3], DType::F64)?;
    let y = conv2d(&x, &weight, None, &params(2, 1, 1, 1))?;
    let v = random(3, y.dims(), DType::F64)?;
    let back = ConvTranspose2dParams {
        stride: 2,
        padding: 1,
        ..Default::default()
    };
    let u = conv_transpose2d(&v, &weight, None, &back)?;
    let dot = |a: &Tensor, b: &Tensor| -> Result<f64> { Ok((a * b)?.sum_all()?.to_scalar()?) };
    assert!((dot(&y, &v)? - dot(&x, &u)?).abs() < 1e-11);
    Ok(())
}

#[test]
fn views_are_read_where_they_lie() -> Result<()> {
    let wide = random(1, &[4, 7, 9, 8], DType::F64)?;
    let x = Var::from_tensor(&wide)?;
    let view = |t: &Tensor| -> Result<Tensor> {
        Ok(t.narrow(0, 1, 2)?
            .narrow(1, 2, 3)?
            .transpose(2, 3)?
            .narrow(2, 1, 6)?)
    };
    let weight = random(2, &[3, 6, 3, 3], DType::F64)?;
    let bias = random(3, &[9], DType::F64)?;
    let through = |op: Op| -> Result<Vec<Vec<f64>>> {
        let op = |x: &Tensor, w: &Tensor, b: Option<&Tensor>| -> Result<Tensor> {
            let b = b.map(|b| b.narrow(0, 2, 6)).transpose()?;
            op(&view(x)?, &w.transpose(0, 1)?, b.as_ref())
        };
        with_gradients(&op, &x, &weight, Some(&bias))
    };
    let params = params(1, 1, 1, 1);
    let copied = |x: &Tensor, w: &Tensor, b: Option<&Tensor>| {
        conv2d_composite(&x.contiguous()?, &w.contiguous()?, b, &params)
    };
    assert_same(
        &through(&|x, w, b| conv2d(x, w, b, &params))?,
        &through(&copied)?,
        DType::F64,
    );
    // An incoming gradient that is a view, too.
    let transposed = |op: Op| -> Result<Vec<Vec<f64>>> {
        through(&|x, w, b| Ok(op(x, w, b)?.transpose(2, 3)?.transpose(0, 1)?))
    };
    assert_same(
        &transposed(&|x, w, b| conv2d(x, w, b, &params))?,
        &transposed(&copied)?,
        DType::F64,
    );
    Ok(())
}

#[test]
fn empty_batches_stay_empty() -> Result<()> {
    let x = Var::from_tensor(&Tensor::zeros((0, 2, 5, 5), DType::F32, CPU)?)?;
    let (weight, bias) = (
        random(2, &[2, 2, 3, 3], DType::F32)?,
        random(3, &[2], DType::F32)?,
    );
    let back = ConvTranspose2dParams::default();
    let ops: [(Op, usize); 4] = [
        (&|x, w, b| conv2d(x, w, b, &Conv2dParams::default()), 3),
        (
            &|x, w, b| conv2d_composite(x, w, b, &Conv2dParams::default()),
            3,
        ),
        (&|x, w, b| conv_transpose2d(x, w, b, &back), 7),
        (&|x, w, b| conv_transpose2d_composite(x, w, b, &back), 7),
    ];
    for (op, size) in ops {
        assert_eq!(op(&x, &weight, Some(&bias))?.dims(), [0, 2, size, size]);
    }
    for (op, _) in [ops[0], ops[2]] {
        let [y, of_x, of_weight, of_bias] = with_gradients(op, &x, &weight, Some(&bias))?
            .try_into()
            .unwrap();
        assert!(y.is_empty() && of_x.is_empty());
        assert_eq!((of_weight, of_bias), (vec![0.; 36], vec![0.; 2]));
    }
    Ok(())
}

#[test]
fn only_what_is_asked_for_gets_a_gradient() -> Result<()> {
    let (x, weight, bias) = (
        random(1, &[2, 3, 5, 5], DType::F32)?,
        random(2, &[3, 3, 3, 3], DType::F32)?,
        random(3, &[3], DType::F32)?,
    );
    let ops: [Op; 2] = [
        &|x, w, b| conv2d_relu(x, w, b, &Conv2dParams::default()),
        &|x, w, b| conv_transpose2d(x, w, b, &ConvTranspose2dParams::default()),
    ];
    for op in ops {
        for tracked in 0..3 {
            let vars = [&x, &weight, &bias];
            let arguments: Vec<Tensor> = (0..3)
                .map(|i| {
                    if i == tracked {
                        vars[i].as_tensor().clone()
                    } else {
                        vars[i].as_detached_tensor()
                    }
                })
                .collect();
            let gradients = op(&arguments[0], &arguments[1], Some(&arguments[2]))?
                .sum_all()?
                .backward()?;
            for (i, var) in vars.iter().enumerate() {
                assert_eq!(gradients.get(var).is_some(), i == tracked);
            }
        }
    }
    Ok(())
}

#[test]
fn number_of_threads_changes_no_bit() -> Result<()> {
    for (images, inputs, outputs, input, kernel, params) in [
        (5, 20, 24, [14, 15], [3, 3], params(1, 1, 1, 1)),
        (1, 3, 20, [70, 70], [7, 7], params(2, 3, 1, 1)),
        (1, 300, 33, [8, 8], [1, 1], params(1, 0, 1, 1)),
        (9, 17, 40, [5, 7], [1, 1], params(1, 0, 1, 1)),
        (2, 17, 40, [9, 9], [1, 1], params(2, 0, 1, 1)),
        (3, 4, 5, [20, 20], [3, 3], params(1, 1, 1, 6)),
        (9, 64, 40, [7, 7], [3, 3], params(1, 1, 1, 1)),
    ] {
        let x = random(
            1,
            &[images, params.groups * inputs, input[0], input[1]],
            DType::F32,
        )?;
        let weight = random(
            2,
            &[params.groups * outputs, inputs, kernel[0], kernel[1]],
            DType::F32,
        )?;
        let bias = random(3, &[params.groups * outputs], DType::F32)?;
        let on = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new()
                .num_threads(threads)
                .build()
                .unwrap();
            pool.install(|| {
                with_gradients(
                    &|x, w, b| conv2d(x, w, b, &params),
                    &x,
                    &weight,
                    Some(&bias),
                )
            })
        };
        let one = on(1)?;
        for threads in [2, 3, 7] {
            assert!(on(threads)? == one, "{threads} threads");
        }
    }
    Ok(())
}

#[test]
fn bad_arguments_are_refused() -> Result<()> {
    let of = |shape: &[usize]| Tensor::zeros(shape, DType::F32, CPU).unwrap();
    let (x, weight) = (of(&[2, 4, 5, 5]), of(&[6, 4, 3, 3]));
    let plain = Conv2dParams::default();
    type Convolution = fn(&Tensor, &Tensor, Option<&Tensor>, &Conv2dParams) -> Result<Tensor>;
    for op in [
        conv2d as Convolution,
        conv2d_composite,
        conv2d_relu,
        conv2d_relu_composite,
    ] {
        let text = |x: &Tensor, w: &Tensor, params: Conv2dParams| message(op(x, w, None, &params));
        assert_eq!(
            text(&x, &of(&[6, 3, 3, 3]), plain),
            "conv2d: x has shape [2, 4, 5, 5]; expected (N, 3, H, W) for weight [6, 3, 3, 3], groups 1"
        );
        assert_eq!(
            text(&x, &of(&[6, 4, 6, 3]), plain),
            "conv2d: x has shape [2, 4, 5, 5]; expected a padded image that holds the kernel of weight [6, 4, 6, 3], \
             Conv2dParams { stride: 1, padding: 0, dilation: 1, groups: 1 }"
        );
        assert!(
            text(
                &x,
                &weight,
                Conv2dParams {
                    dilation: 3,
                    ..plain
                }
            )
            .contains("holds the kernel")
        );
        assert!(
            text(
                &x,
                &weight,
                Conv2dParams {
                    dilation: usize::MAX,
                    ..plain
                }
            )
            .contains("expected at most 65536")
        );
        assert!(
            text(
                &x,
                &weight,
                Conv2dParams {
                    padding: usize::MAX,
                    ..plain
                }
            )
            .contains("expected at most 65536")
        );
        assert_eq!(
            text(&x, &weight, Conv2dParams { stride: 0, ..plain }),
            "stride is 0; expected at least 1"
        );
        assert_eq!(
            text(
                &x,
                &weight,
                Conv2dParams {
                    dilation: 0,
                    ..plain
                }
            ),
            "dilation is 0; expected at least 1"
        );
        assert_eq!(
            text(&x, &weight, Conv2dParams { groups: 0, ..plain }),
            "groups is 0; expected at least 1"
        );
        assert_eq!(
            text(&x, &of(&[5, 2, 3, 3]), Conv2dParams { groups: 2, ..plain }),
            "conv2d: weight has shape [5, 2, 3, 3]; expected at least one number, and outputs in 2 equal groups"
        );
        assert!(text(&x, &of(&[6, 4, 0, 3]), plain).contains("at least one number"));
        assert!(text(&of(&[4, 5, 5]), &weight, plain).contains("expected (N, 4, H, W)"));
        assert!(
            text(&x, &of(&[6, 4]), plain)
                .contains("expected (O, C / groups, kernel height, kernel width)")
        );
        assert_eq!(
            message(op(&x, &weight, Some(&of(&[4])), &plain)),
            "conv2d: bias has shape [4]; expected (6,)"
        );
        let double = weight.to_dtype(DType::F64)?;
        assert_eq!(
            text(&x, &double, plain),
            "dtype of weight is F64; expected F32, that of x"
        );
        let bias = of(&[6]).to_dtype(DType::F64)?;
        assert_eq!(
            message(op(&x, &weight, Some(&bias), &plain)),
            "dtype of bias is F64; expected F32, that of x"
        );
    }
    Ok(())
}

#[test]
fn bad_arguments_of_the_transposed_are_refused() -> Result<()> {
    let of = |shape: &[usize]| Tensor::zeros(shape, DType::F32, CPU).unwrap();
    let (x, weight) = (of(&[2, 4, 5, 5]), of(&[4, 6, 3, 3]));
    let plain = ConvTranspose2dParams::default();
    type Transposed =
        fn(&Tensor, &Tensor, Option<&Tensor>, &ConvTranspose2dParams) -> Result<Tensor>;
    for op in [conv_transpose2d as Transposed, conv_transpose2d_composite] {
        let text = |x: &Tensor, w: &Tensor, params: ConvTranspose2dParams| {
            message(op(x, w, None, &params))
        };
        assert_eq!(
            text(&x, &of(&[3, 6, 3, 3]), plain),
            "conv_transpose2d: x has shape [2, 4, 5, 5]; expected (N, 3, H, W) for weight [3, 6, 3, 3], \
             H and W at least 1"
        );
        assert_eq!(
            text(
                &x,
                &weight,
                ConvTranspose2dParams {
                    output_padding: 1,
                    ..plain
                }
            ),
            "output_padding is 1; expected below stride 1 or dilation 1"
        );
        let none = ConvTranspose2dParams {
            padding: 4,
            ..plain
        };
        assert!(
            text(&x, &weight, none)
                .contains("a result larger than its padding with weight [4, 6, 3, 3]")
        );
        assert!(text(&of(&[2, 4, 0, 5]), &weight, plain).contains("H and W at least 1"));
        assert!(text(&of(&[4, 5, 5]), &weight, plain).contains("expected (N, 4, H, W)"));
        assert!(text(&x, &of(&[6, 4]), plain).contains("expected (C, O / groups"));
        let three = ConvTranspose2dParams { groups: 3, ..plain };
        assert!(text(&x, &weight, three).contains("inputs in 3 equal groups"));
        let huge = ConvTranspose2dParams {
            padding: usize::MAX,
            stride: usize::MAX,
            ..plain
        };
        assert!(text(&x, &weight, huge).contains("expected at most 65536"));
        assert_eq!(
            text(&x, &weight, ConvTranspose2dParams { groups: 0, ..plain }),
            "groups is 0; expected at least 1"
        );
        assert_eq!(
            message(op(&x, &weight, Some(&of(&[4])), &plain)),
            "conv_transpose2d: bias has shape [4]; expected (6,)"
        );
        let double = weight.to_dtype(DType::F64)?;
        assert_eq!(
            text(&x, &double, plain),
            "dtype of weight is F64; expected F32, that of x"
        );
    }
    Ok(())
}
