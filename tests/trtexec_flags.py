"""The options of trtexec, by version, for test_jetson_kit.py.

Extracted from samples/common/sampleOptions.cpp of NVIDIA/TensorRT at the tags v10.3.0 (commit
c5b9de37f7ef), v10.16 (52399f555c2f), v11.0 (771d8efdf7f9) and v11.1 (82d1dca801c8): every string
beginning with "--" that is given to getAndDelOption and its relatives, down to
SafeBuilderOptions::parse, which is another program's.
"""


def _flags(names: str) -> frozenset[str]:
    return frozenset(f"--{name}" for name in names.split())


EVERYWHERE = _flags("""
    allocationStrategy allowGPUFallback allowWeightStreaming avgRuns avgTiming
    buildDLAStandalone builderOptimizationLevel consistency device directIO dumpLayerInfo
    dumpOptimizationProfile dumpOutput dumpProfile dumpRawBindingsToFile dumpRefit duration
    dynamicPlugins errorOnTimingCacheMiss excludeLeanRuntime exportLayerInfo exportOutput
    exportProfile exportTimes exposeDMA getPlanVersionOnly hardwareCompatibilityLevel help
    idleTime ignoreParsedPluginLibs infStreams inputIOFormats iterations layerDeviceTypes
    leanDLLPath loadEngine loadInputs maxAuxStreams maxShapes memPoolSize minShapes
    noBuilderCache noCompilationCache noDataTransfers noTF32 onnx optShapes outputIOFormats
    percentile persistentCacheRatio pi pluginInstanceNorm plugins preview profilingVerbosity
    refit runtimePlatform safe saveDebugTensors saveEngine separateProfileRun
    setPluginsToSerialize shapes skipInference sleepTime sparsity staticPlugins streams
    stripAllWeights stripWeights stronglyTyped tacticSources tempdir tempfileControls threads
    timeDeserialize timeRefit timingCacheFile useCudaGraph useDLACore useManagedMemory
    useProfile useRuntime useSpinWait vc verbose versionCompatible warmUp weightStreamingBudget
""")

UNTIL_10 = _flags("""
    best bf16 calib calibProfile fp16 fp8 int4 int8 layerOutputTypes layerPrecisions
    precisionConstraints restricted weightless
""")

SINCE_10_16 = _flags("""
    adjustForDLA asyncFileReader cpuOnly decomposableAttentions distributiveIndependence
    dumpKernelText enablePluginOverride l2LimitForTiling markDebug
    markUnfusedTensorsAsDebugTensors maxTactics monitorMemory refitFromOnnx
    remoteAutoTuningConfig reportCapabilityDLA safetyPlugins saveAllDebugTensors
    tilingOptimizationLevel uint8AsymmetricQuantizationDLA
""")

SINCE_11 = _flags("""
    includeDataTransfers noCudaGraph noSpinWait
""")

SINCE_11_1 = _flags("""
    accuracyAlgorithm accuracyThreshold atol continue dryRun helpBuildRoute loadRefOutputs
    refPair rtol saveAllEngines setBuildRoute tuneBuildRouteFile tuneBuildRoutes
    tuningCacheFile tuningResultFile tuningSearch tuningTimeOut
""")

TRTEXEC = {
    "10.3": EVERYWHERE | UNTIL_10,
    "10.16": EVERYWHERE | UNTIL_10 | SINCE_10_16,
    "11.0": EVERYWHERE | SINCE_10_16 | SINCE_11,
    "11.1": EVERYWHERE | SINCE_10_16 | SINCE_11 | SINCE_11_1,
}
