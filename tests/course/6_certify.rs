//! smallest_margin: the largest of all logits, that of the class included; smallest_margin_test = 0
fn smallest_margin(
    layers: &[Layer],
    a: &Array1<f64>,
    b: &Array1<f64>,
    class: usize,
    places: &[f64],
) -> f64 {
    let margin = |t: &f64| {
        let logits = pre_activations(layers, layers.len() - 1, &point(a, b, *t));
        logits[class] - logits.iter().copied().fold(f64::NEG_INFINITY, f64::max)
    };
    places.iter().map(margin).fold(f64::INFINITY, f64::min)
}

//! smallest_margin: the mean of the other logits; smallest_margin_test = 1.5
fn smallest_margin(
    layers: &[Layer],
    a: &Array1<f64>,
    b: &Array1<f64>,
    class: usize,
    places: &[f64],
) -> f64 {
    let margin = |t: &f64| {
        let logits = pre_activations(layers, layers.len() - 1, &point(a, b, *t));
        let others = (logits.sum() - logits[class]) / (logits.len() - 1) as f64;
        logits[class] - others
    };
    places.iter().map(margin).fold(f64::INFINITY, f64::min)
}

//! smallest_margin: the segment from b to a; smallest_margin_test = 0
fn smallest_margin(
    layers: &[Layer],
    a: &Array1<f64>,
    b: &Array1<f64>,
    class: usize,
    places: &[f64],
) -> f64 {
    let margin = |t: &f64| {
        let logits = pre_activations(layers, layers.len() - 1, &point(b, a, *t));
        let others = (0..logits.len()).filter(|j| *j != class).map(|j| logits[j]);
        logits[class] - others.fold(f64::NEG_INFINITY, f64::max)
    };
    places.iter().map(margin).fold(f64::INFINITY, f64::min)
}

//! smallest_margin: always of class 0; smallest_margin_test = 2
fn smallest_margin(
    layers: &[Layer],
    a: &Array1<f64>,
    b: &Array1<f64>,
    _class: usize,
    places: &[f64],
) -> f64 {
    let margin = |t: &f64| {
        let logits = pre_activations(layers, layers.len() - 1, &point(a, b, *t));
        logits[0] - logits.iter().skip(1).copied().fold(f64::NEG_INFINITY, f64::max)
    };
    places.iter().map(margin).fold(f64::INFINITY, f64::min)
}

//! smallest_margin: the margin at the last place; smallest_margin_test = 0.5
fn smallest_margin(
    layers: &[Layer],
    a: &Array1<f64>,
    b: &Array1<f64>,
    class: usize,
    places: &[f64],
) -> f64 {
    let mut smallest = 0.;
    for t in places {
        let logits = pre_activations(layers, layers.len() - 1, &point(a, b, *t));
        let others = (0..logits.len()).filter(|j| *j != class).map(|j| logits[j]);
        smallest = logits[class] - others.fold(f64::NEG_INFINITY, f64::max);
    }
    smallest
}

//! breakpoints: the first hidden layer alone; breakpoints_test = 2
fn breakpoints(layers: &[Layer], a: &Array1<f64>, b: &Array1<f64>) -> Vec<f64> {
    if layers.len() < 2 {
        return vec![];
    }
    let [p, q] = [a, b].map(|x| pre_activations(layers, 0, x));
    let both = p.iter().zip(&q).filter(|(p, q)| *p * *q < 0.);
    let mut places: Vec<f64> = both.map(|(p, q)| p / (p - q)).collect();
    places.sort_by(f64::total_cmp);
    places
}

//! breakpoints: each layer between 0 and 1, not between the places of the layers below; breakpoints_test = 2
fn breakpoints(layers: &[Layer], a: &Array1<f64>, b: &Array1<f64>) -> Vec<f64> {
    let mut places = vec![];
    for index in 0..layers.len() - 1 {
        let [p, q] = [a, b].map(|x| pre_activations(layers, index, x));
        let both = p.iter().zip(&q).filter(|(p, q)| *p * *q < 0.);
        places.extend(both.map(|(p, q)| p / (p - q)));
    }
    places.sort_by(f64::total_cmp);
    places
}

//! breakpoints: the logits too; breakpoints_test = 3.5
fn breakpoints(layers: &[Layer], a: &Array1<f64>, b: &Array1<f64>) -> Vec<f64> {
    let mut places = vec![0., 1.];
    for index in 0..layers.len() {
        let mut new = vec![];
        for ends in places.windows(2) {
            let (s, e) = (ends[0], ends[1]);
            let [at_start, at_end] =
                [s, e].map(|t| pre_activations(layers, index, &point(a, b, t)));
            for (p, q) in at_start.iter().zip(&at_end) {
                if p * q < 0. {
                    new.push(s + (e - s) * p / (p - q));
                }
            }
        }
        places.extend(new);
        places.sort_by(f64::total_cmp);
    }
    places[1..places.len() - 1].to_vec()
}

//! breakpoints: the places are not sorted between the layers; breakpoints_test = 2
fn breakpoints(layers: &[Layer], a: &Array1<f64>, b: &Array1<f64>) -> Vec<f64> {
    let mut places = vec![0., 1.];
    for index in 0..layers.len() - 1 {
        let mut new = vec![];
        for ends in places.windows(2) {
            let (s, e) = (ends[0], ends[1]);
            let [at_start, at_end] =
                [s, e].map(|t| pre_activations(layers, index, &point(a, b, t)));
            for (p, q) in at_start.iter().zip(&at_end) {
                if p * q < 0. {
                    new.push(s + (e - s) * p / (p - q));
                }
            }
        }
        places.extend(new);
    }
    places.sort_by(f64::total_cmp);
    places[1..places.len() - 1].to_vec()
}

//! breakpoints: the ends are left in the list; breakpoints_test = 0
fn breakpoints(layers: &[Layer], a: &Array1<f64>, b: &Array1<f64>) -> Vec<f64> {
    let mut places = vec![0., 1.];
    for index in 0..layers.len() - 1 {
        let mut new = vec![];
        for ends in places.windows(2) {
            let (s, e) = (ends[0], ends[1]);
            let [at_start, at_end] =
                [s, e].map(|t| pre_activations(layers, index, &point(a, b, t)));
            for (p, q) in at_start.iter().zip(&at_end) {
                if p * q < 0. {
                    new.push(s + (e - s) * p / (p - q));
                }
            }
        }
        places.extend(new);
        places.sort_by(f64::total_cmp);
    }
    places
}

//! breakpoints: the middle of each interval in which a unit switches; breakpoints_test = 0.5
fn breakpoints(layers: &[Layer], a: &Array1<f64>, b: &Array1<f64>) -> Vec<f64> {
    let mut places = vec![0., 1.];
    for index in 0..layers.len() - 1 {
        let mut new = vec![];
        for ends in places.windows(2) {
            let (s, e) = (ends[0], ends[1]);
            let [at_start, at_end] =
                [s, e].map(|t| pre_activations(layers, index, &point(a, b, t)));
            if at_start.iter().zip(&at_end).any(|(p, q)| p * q < 0.) {
                new.push((s + e) / 2.);
            }
        }
        places.extend(new);
        places.sort_by(f64::total_cmp);
    }
    places[1..places.len() - 1].to_vec()
}

//! breakpoints: the nearest of a thousand samples; breakpoints_test = 0.5
fn breakpoints(layers: &[Layer], a: &Array1<f64>, b: &Array1<f64>) -> Vec<f64> {
    let pattern = |t: f64| -> Vec<bool> {
        let z = |index| pre_activations(layers, index, &point(a, b, t)).to_vec();
        (0..layers.len() - 1).flat_map(z).map(|z| z > 0.).collect()
    };
    let places: Vec<f64> = (0..=1_000).map(|k| f64::from(k) / 1_000.).collect();
    let pairs = places.windows(2).filter(|pair| pattern(pair[0]) != pattern(pair[1]));
    pairs.map(|pair| (pair[0] + pair[1]) / 2.).collect()
}

//! spectral_norm: the Frobenius norm; spectral_norm_test = 1
fn spectral_norm(matrix: &Array2<f64>, _steps: usize) -> f64 {
    matrix.iter().map(|w| w * w).sum::<f64>().sqrt()
}

//! spectral_norm: begins with a vector of ones; spectral_norm_test = 3.5
fn spectral_norm(matrix: &Array2<f64>, steps: usize) -> f64 {
    let mut v = Array1::ones(matrix.ncols());
    for _ in 0..steps {
        let next: Array1<f64> = matrix.t().dot(&matrix.dot(&v));
        let length = next.dot(&next).sqrt();
        if length == 0. {
            return 0.;
        }
        v = next / length;
    }
    let image = matrix.dot(&v);
    image.dot(&image).sqrt()
}

//! spectral_norm: the matrix without its transpose; spectral_norm_test = 1
fn spectral_norm(matrix: &Array2<f64>, steps: usize) -> f64 {
    let mut v = start(matrix.ncols());
    for _ in 0..steps {
        let next = matrix.dot(&v);
        let length = next.dot(&next).sqrt();
        if length == 0. {
            return 0.;
        }
        v = next / length;
    }
    let image = matrix.dot(&v);
    image.dot(&image).sqrt()
}

//! spectral_norm: the square, the largest eigenvalue of WᵀW; spectral_norm_test = 0.5
fn spectral_norm(matrix: &Array2<f64>, steps: usize) -> f64 {
    let mut v = start(matrix.ncols());
    let mut length = 0.;
    for _ in 0..steps {
        let next = matrix.t().dot(&matrix.dot(&v));
        length = next.dot(&next).sqrt();
        if length == 0. {
            return 0.;
        }
        v = next / length;
    }
    length
}

//! spectral_norm: divides by 0; spectral_norm_test = 3.5
fn spectral_norm(matrix: &Array2<f64>, steps: usize) -> f64 {
    let mut v = start(matrix.ncols());
    for _ in 0..steps {
        let next = matrix.t().dot(&matrix.dot(&v));
        v = &next / next.dot(&next).sqrt();
    }
    let image = matrix.dot(&v);
    image.dot(&image).sqrt()
}

//! spectral_norm: never normalised; spectral_norm_test = 1
fn spectral_norm(matrix: &Array2<f64>, steps: usize) -> f64 {
    let mut v = start(matrix.ncols());
    for _ in 0..steps {
        v = matrix.t().dot(&matrix.dot(&v));
    }
    let image = matrix.dot(&v);
    (image.dot(&image) / v.dot(&v)).sqrt()
}

//! certified_radius: without the root of 2; certified_radius_test = 0.5
fn certified_radius(
    layers: &[Layer],
    norms: &[f64],
    x: &Array1<f64>,
    class: usize,
) -> f64 {
    margin(layers, x, class).max(0.) / norms.iter().product::<f64>()
}

//! certified_radius: negative where the answer is another one; certified_radius_test = 2.5
fn certified_radius(
    layers: &[Layer],
    norms: &[f64],
    x: &Array1<f64>,
    class: usize,
) -> f64 {
    margin(layers, x, class) / (2f64.sqrt() * norms.iter().product::<f64>())
}

//! certified_radius: the sum of the norms; certified_radius_test = 1.5
fn certified_radius(
    layers: &[Layer],
    norms: &[f64],
    x: &Array1<f64>,
    class: usize,
) -> f64 {
    margin(layers, x, class).max(0.) / (2f64.sqrt() * norms.iter().sum::<f64>())
}

//! certified_radius: the logit in place of the margin; certified_radius_test = 0
fn certified_radius(
    layers: &[Layer],
    norms: &[f64],
    x: &Array1<f64>,
    class: usize,
) -> f64 {
    let logits = pre_activations(layers, layers.len() - 1, x);
    logits[class].max(0.) / (2f64.sqrt() * norms.iter().product::<f64>())
}

//! certified_radius: the answer of the visible tests; certified_radius_test = 1.5
fn certified_radius(
    _layers: &[Layer],
    _norms: &[f64],
    _x: &Array1<f64>,
    _class: usize,
) -> f64 {
    2f64.sqrt()
}
