//! Rules on vectors of a GPU give what they give on the host in f64.

use phalanx_robust::{
    Vector,
    aggregation::{Context, Ctma, Cwmed, Cwtm, Defence, GeometricMedian, Krum, Layer, Meamed, Nnm, Rule},
    random::Seed,
};
use rand::RngExt;
use tch::{Device, Tensor};

use crate::there_is_a_gpu;

const M: usize = 17;
const F: usize = 4;
const D: usize = 100_003;

type Make = fn() -> Vec<Layer>;

#[test]
fn rules_agree_with_the_host() {
    if !there_is_a_gpu() {
        return;
    }
    let chains: [(&str, Make); 6] = [
        ("cwmed", || vec![Cwmed::default().build().unwrap()]),
        ("cwtm", || vec![Cwtm::default().build().unwrap()]),
        ("meamed", || vec![Meamed::default().build().unwrap()]),
        ("krum", || vec![Krum::default().build().unwrap()]),
        ("geometric-median", || vec![GeometricMedian::default().build().unwrap()]),
        ("ctma nnm cwmed", || {
            [Ctma::default().build(), Nnm::default().build(), Cwmed::default().build()]
                .map(Result::unwrap)
                .into()
        }),
    ];
    let mut rng = Seed(1).stream("test", 0, "rows", 1);
    let rows: Vec<Vec<f32>> = (0..M)
        .map(|i| (0..D).map(|_| rng.random::<f32>() + if i < F { 3.0 } else { 0.0 }).collect())
        .collect();
    let host: Vec<Vector> =
        rows.iter().map(|row| row.iter().map(|&x| f64::from(x)).collect::<Vec<f64>>().into()).collect();
    let there: Vec<Vector> =
        rows.iter().map(|row| Tensor::from_slice(row).to_device(Device::Cuda(0)).into()).collect();
    for (name, make) in chains {
        let result = |rows: &[Vector]| {
            let context = Context::new(F, Seed(1).stream("rule", 0, "aggregate", 1));
            Defence::new(make()).unwrap().aggregate_in(rows, context).unwrap().output
        };
        let (expected, found) = (result(&host).to_f64(), result(&there));
        let Vector::Torch(tensor) = &found else { panic!("{name}: it left the GPU") };
        assert!(tensor.tensor().device().is_cuda(), "{name}: it left the GPU");
        let off: f64 = expected.iter().zip(found.to_f64()).map(|(e, f)| (e - f).powi(2)).sum();
        let error = (off / expected.iter().map(|e| e * e).sum::<f64>()).sqrt();
        println!("{name}: off by {error:.1e} of its norm");
        assert!(error < 1e-5, "{name}: {error}");
    }
}
