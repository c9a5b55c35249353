//! Alerts on GPUs, by the names of NVIDIA's exporter.

use super::super::thresholds::bound;
use super::{Alert, Runbook, Severity, fires, quiet};

const LABELS: &str = r#"instance="dcgm-exporter:9400",gpu="0",modelName="A100""#;
const SEEN: &[(&str, &str)] = &[("instance", "dcgm-exporter:9400"), ("gpu", "0")];

const HOT: Runbook = Runbook {
    impact: "The GPU lowers its clock; work takes longer.",
    look: &[(
        "nvidia-smi --query-gpu=index,temperature.gpu,fan.speed,power.draw --format=csv",
        "how hot it is, and whether its fan turns",
    )],
    fix: &[
        "Check air and fans.",
        "Lower the power limit: `nvidia-smi --power-limit 250`.",
    ],
};

const BUSY: Runbook = Runbook {
    impact: "More work queues up than the GPU does.",
    look: &[("nvidia-smi", "which processes use it")],
    fix: &["Move work to another GPU, or add one."],
};

const FULL: Runbook = Runbook {
    impact: "The next allocation fails, and the process with it.",
    look: &[(
        "nvidia-smi --query-compute-apps=pid,used_memory --format=csv",
        "which processes hold it",
    )],
    fix: &["Use smaller batches or a smaller model, or end processes that no longer work."],
};

pub(super) fn alerts() -> Vec<Alert> {
    let series = |metric: &str| format!("DCGM_FI_DEV_{metric}{{{LABELS}}}");
    let (hot, busy) = (series("GPU_TEMP"), series("GPU_UTIL"));
    let (used, free) = (series("FB_USED"), series("FB_FREE"));
    let make =
        |name, expr, hold, severity, summary: &str, description: &str, runbook, cases| Alert {
            name,
            group: "gpu",
            expr,
            hold: Some(hold),
            severity,
            labels: Vec::new(),
            summary: summary.to_owned(),
            description: description.to_owned(),
            runbook,
            cases,
        };
    vec![
        make(
            "GPUTemperatureHigh",
            format!(
                "max by (instance, gpu) (DCGM_FI_DEV_GPU_TEMP) > {}",
                bound("gpu_temperature")
            ),
            "5m",
            Severity::Critical,
            "GPU {{ $labels.gpu }} is too hot",
            "GPU {{ $labels.gpu }} of {{ $labels.instance }} has {{ $value }} degrees Celsius.",
            HOT,
            vec![
                fires("1m", &[(&hot, "120x20")], "10m", SEEN, "120"),
                quiet("1m", &[(&hot, "40x20")], "10m"),
            ],
        ),
        make(
            "GPUUtilizationHigh",
            format!(
                "avg by (instance, gpu) (DCGM_FI_DEV_GPU_UTIL) > {}",
                bound("gpu_utilization")
            ),
            "15m",
            Severity::Warning,
            "GPU {{ $labels.gpu }} is fully used",
            "GPU {{ $labels.gpu }} of {{ $labels.instance }} has been used to {{ $value }} % for 15 minutes.",
            BUSY,
            vec![
                fires("1m", &[(&busy, "100x30")], "20m", SEEN, "100"),
                quiet("1m", &[(&busy, "10x30")], "20m"),
            ],
        ),
        make(
            "GPUMemoryHigh",
            format!(
                "max by (instance, gpu) (DCGM_FI_DEV_FB_USED / (DCGM_FI_DEV_FB_USED + DCGM_FI_DEV_FB_FREE)) > {}",
                bound("gpu_memory")
            ),
            "5m",
            Severity::Warning,
            "GPU {{ $labels.gpu }} has little memory left",
            "{{ $value | humanizePercentage }} of the memory of GPU {{ $labels.gpu }} of {{ $labels.instance }} is taken.",
            FULL,
            vec![
                fires(
                    "1m",
                    &[(&used, "99x20"), (&free, "1x20")],
                    "10m",
                    SEEN,
                    "99%",
                ),
                quiet("1m", &[(&used, "10x20"), (&free, "90x20")], "10m"),
            ],
        ),
    ]
}
