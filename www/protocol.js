// Every message between the page and its workers, and every command and event of the engine.
//
// Commands go into the wasm engine and events come out of it; both are tagged plain objects, with
// bulk data as Uint8Array. "f32 bytes" are little-endian 32-bit floats in a Uint8Array.

/**
 * @typedef {"cpu"|"gpu"} Device
 * @typedef {"trainer"|"reader"|"bench"} Role
 * @typedef {"train"|"test"} SplitName
 * @typedef {"trainImages"|"trainLabels"|"testImages"|"testLabels"} FileRole
 *
 * @typedef {object} Config  Settings of a run.
 * @property {"sgd"|"adam"} optimizer
 * @property {number} learningRate  That of the first step, where it has a schedule.
 * @property {"constant"|"cosine"} schedule  How it changes over the run: not at all, or to 0 along half a cosine.
 * @property {number} momentum
 * @property {number} batchSize
 * @property {number} epochs
 * @property {number} seed
 * @property {number} validationFraction  0 keeps all of the training data for training.
 * @property {boolean} dropLast  Whether a last, smaller batch is left out.
 * @property {"none"|"shift"|"warp"} augment  How training images are changed, each another way in each epoch: not, moved by up to a pixel, or turned, scaled and slanted too.
 */

/**
 * Commands.
 * @typedef {{type:"info"}} InfoCommand
 * @typedef {{type:"loadIdx", id:string, title?:string, trainImages:Uint8Array, trainLabels:Uint8Array, testImages:Uint8Array, testLabels:Uint8Array}} LoadIdxCommand
 * @typedef {{type:"loadSynthetic", trainCount:number, testCount:number, seed:number}} LoadSyntheticCommand
 * @typedef {{split:SplitName, class:number|null, offset:number, count:number}} SamplesQuery
 * @typedef {{type:"samples"} & SamplesQuery} SamplesCommand
 * @typedef {{type:"statistics", split:SplitName}} StatisticsCommand
 * @typedef {{type:"configure", config:Config}} ConfigureCommand
 * @typedef {{type:"advance", budgetMs:number}} AdvanceCommand
 * @typedef {{type:"test", split:SplitName}} TestCommand
 * @typedef {{type:"setLearningRate", learningRate:number}} SetLearningRateCommand
 * @typedef {{pixels:Uint8Array, width:number, height:number}} Drawing
 * @typedef {Drawing | {image:Uint8Array}} LookInput
 * @typedef {LookInput & {type:"look", target:number|null, saliency:boolean}} LookCommand
 * @typedef {{type:"cell", truth:number, predicted:number, count:number}} CellCommand
 * @typedef {{type:"exportWeights", half:boolean}} ExportWeightsCommand
 * @typedef {{type:"importWeights", bytes:Uint8Array}} ImportWeightsCommand
 *   Begins a run with them; answers `weightsLoaded` and `run`.
 * @typedef {{type:"exportCheckpoint"}} ExportCheckpointCommand
 * @typedef {{type:"importCheckpoint", bytes:Uint8Array}} ImportCheckpointCommand
 * @typedef {{type:"holdBatch", images:Uint8Array, labels:Uint8Array}} HoldBatchCommand
 * @typedef {{type:"stepHeld", read:boolean}} StepHeldCommand
 * @typedef {{type:"infer", images:Uint8Array}} InferCommand
 * @typedef {{type:"fault"}} FaultCommand  Panics; for tests.
 * @typedef {InfoCommand|LoadIdxCommand|LoadSyntheticCommand|SamplesCommand|StatisticsCommand
 *   |ConfigureCommand|AdvanceCommand|TestCommand|SetLearningRateCommand|LookCommand|CellCommand
 *   |ExportWeightsCommand|ImportWeightsCommand|ExportCheckpointCommand|ImportCheckpointCommand
 *   |HoldBatchCommand|StepHeldCommand|InferCommand|FaultCommand} Command
 */

/**
 * Events of the engine.
 * @typedef {{ok:boolean, maxRelativeError:number}} Parity
 * @typedef {{type:"info", device:Device, parity:Parity|null, version:string}} InfoEvent
 * @typedef {{type:"dataset", id:string, title:string, classNames:string[], mean:number, std:number, trainCount:number, testCount:number}} DatasetEvent
 * @typedef {{type:"samples", split:SplitName, class:number|null, total:number, indices:number[], labels:number[], pixels:Uint8Array}} SamplesEvent
 * @typedef {{type:"statistics", split:SplitName, count:number, classCounts:number[], mean:number, std:number, classMeans:Uint8Array}} StatisticsEvent
 * @typedef {{name:string, kind:string, outputShape:number[], parameters:number, multiplyAdds:number}} LayerSummary
 * @typedef {{name:string, parameters:number, multiplyAdds:number, layers:LayerSummary[]}} ModelSummary
 * @typedef {{type:"run", config:Config, model:ModelSummary, stepsPerEpoch:number, totalSteps:number, epoch:number, step:number, trainCount:number, validationCount:number}} RunEvent
 * @typedef {{type:"progress", phase:"warmup"|"train"|"evaluate"|"idle", epoch:number, epochs:number, step:number, totalSteps:number, stepsPerEpoch:number, losses:number[], runningLoss:number|null, learningRate:number, imagesPerSecond:number|null, elapsedMs:number, remainingMs:number|null, evaluated:number, evaluateTotal:number}} ProgressEvent
 * @typedef {{type:"epochEnd", epoch:number, step:number, trainLoss:number|null, validationLoss:number|null, validationAccuracy:number|null, testLoss:number, testAccuracy:number, elapsedMs:number}} EpochEndEvent
 * @typedef {{precision:number, recall:number, f1:number, support:number}} ClassMetrics
 * @typedef {{type:"report", split:SplitName, epoch:number, step:number, count:number, loss:number, accuracy:number, macroF1:number, confusion:number[], classes:ClassMetrics[]}} ReportEvent
 * @typedef {{type:"finished"}} FinishedEvent
 * @typedef {{type:"diverged", step:number, message:string}} DivergedEvent
 * @typedef {{type:"look", empty:boolean, image:Uint8Array, logits:number[], probabilities:number[], predicted:number|null, target:number|null, saliency:Uint8Array|null, elapsedMs:number}} LookEvent
 *   `empty`: nothing was drawn, so there is no answer; logits and probabilities are empty then.
 * @typedef {{type:"cell", truth:number, predicted:number, total:number, indices:number[], pixels:Uint8Array, probabilities:Uint8Array}} CellEvent
 * @typedef {{type:"weights", bytes:Uint8Array}} WeightsEvent
 * @typedef {{type:"weightsLoaded", parameters:number, metadata:Record<string, string>}} WeightsLoadedEvent
 * @typedef {{type:"checkpoint", bytes:Uint8Array, epoch:number, step:number, datasetId:string}} CheckpointEvent
 * @typedef {{type:"held", count:number}} HeldEvent
 * @typedef {{type:"stepped", loss:number|null}} SteppedEvent
 * @typedef {{type:"inferred", probabilities:Uint8Array}} InferredEvent
 * @typedef {InfoEvent|DatasetEvent|SamplesEvent|StatisticsEvent|RunEvent|ProgressEvent|EpochEndEvent
 *   |ReportEvent|FinishedEvent|DivergedEvent|LookEvent|CellEvent|WeightsEvent|WeightsLoadedEvent
 *   |CheckpointEvent|HeldEvent|SteppedEvent|InferredEvent} EngineEvent
 */

/**
 * Datasets, as the crate's catalog lists them, and where a dataset came from.
 * @typedef {{role:FileRole, name:string, sha256:string, bytes:number, unpackedBytes:number}} CatalogFile
 * @typedef {{id:string, title:string, classNames:string[], mean:number, std:number, files:CatalogFile[], mirrors:string[], licence:string, citation:string}} CatalogEntry
 * @typedef {{kind:"catalog", id:string, mirrors:boolean}} CatalogSource
 * @typedef {{kind:"synthetic", trainCount:number, testCount:number, seed:number}} SyntheticSource
 * @typedef {{kind:"files", files:File[], key:string}} FilesSource  The visitor's own files.
 * @typedef {{kind:"own", key:string}} OwnSource  The visitor's own files, as this browser kept them.
 * @typedef {CatalogSource|SyntheticSource|FilesSource|OwnSource} Source
 *
 * @typedef {object} SavedRun  What is known of a run kept in this browser.
 * @property {number} savedAt  Milliseconds since 1970.
 * @property {Source} source
 * @property {string} datasetId
 * @property {string} title  Name of the dataset.
 * @property {Config} config
 * @property {number} epoch
 * @property {number} step
 * @property {number} totalSteps
 * @property {boolean} finished
 */

/**
 * Events of the worker itself.
 * @typedef {{type:"loading", what:string, receivedBytes:number, totalBytes:number}} LoadingEvent
 * @typedef {"paused"|"stopped"|"finished"|"diverged"|"error"|"crashed"} WhyStopped
 * @typedef {{type:"training", running:true} | {type:"training", running:false, reason:WhyStopped, code?:string, message?:string}} TrainingEvent
 * @typedef {{type:"notice", level:"info"|"warning"|"error", code:string, message:string}} NoticeEvent
 * @typedef {{type:"catalog", catalog:CatalogEntry[]}} CatalogEvent
 * @typedef {{type:"kept", saved:SavedRun|null, elsewhere:boolean}} KeptEvent
 * @typedef {{type:"crashed", code:string, message:string}} CrashedEvent
 * @typedef {LoadingEvent|TrainingEvent|NoticeEvent|CatalogEvent|KeptEvent|CrashedEvent} WorkerEvent
 * @typedef {EngineEvent|WorkerEvent} AnyEvent
 */

/**
 * Page → worker. Each is sent with an `id`, which the answer repeats.
 * @typedef {{type:"start", device:Device, role:Role, module?:WebAssembly.Module}} StartRequest
 *   Answers `info`. With a bundle that the page compiled already, the worker need not fetch it.
 * @typedef {{type:"command", command:Command}} CommandRequest
 * @typedef {{type:"train", run:boolean, until?:"finished"|"report"}} TrainRequest
 *   Runs or stops the worker's own loop. Stopping answers when the loop has stopped and its weights were posted.
 * @typedef {{type:"catalog"}} CatalogRequest  Answers `catalog`.
 * @typedef {{type:"load", source:Source}} LoadRequest  Answers `dataset`; posts `loading` on the way.
 * @typedef {{type:"kept"}} KeptRequest  Answers `kept`.
 * @typedef {{type:"continue"}} ContinueRequest  Puts the kept run into the engine; answers `run`.
 * @typedef {{type:"forget"}} ForgetRequest
 * @typedef {{type:"abort", of:number}} AbortRequest  Has no answer of its own.
 * @typedef {StartRequest|CommandRequest|TrainRequest|CatalogRequest|LoadRequest|KeptRequest|ContinueRequest|ForgetRequest|AbortRequest} Request
 * @typedef {Request & {id:number}} ToWorker
 */

/**
 * Worker → page.
 * @typedef {{code:string, message:string}} Failure
 * @typedef {{id:number, ok:true, events:AnyEvent[]}} Answer
 * @typedef {{id:number, ok:false, error:Failure}} Refusal
 * @typedef {{id:null, event:AnyEvent}} Posted
 * @typedef {Answer|Refusal|Posted} FromWorker
 */

/** The run that the page starts with; the crate's `TrainConfig::quick()`. @type {Readonly<Config>} */
export const DEFAULT_CONFIG = Object.freeze({
  optimizer: /** @type {"sgd"|"adam"} */ ("adam"),
  learningRate: 0.001,
  schedule: /** @type {"constant"|"cosine"} */ ("cosine"),
  momentum: 0.9,
  batchSize: 32,
  epochs: 2,
  seed: 1,
  validationFraction: 0,
  dropLast: false,
  augment: /** @type {"none"|"shift"|"warp"} */ ("shift"),
});

/** The digits that the crate draws itself, where no MNIST can be had. @type {Readonly<SyntheticSource>} */
export const SYNTHETIC = Object.freeze({ kind: /** @type {const} */ ("synthetic"), trainCount: 20_000, testCount: 2_000, seed: 1 });

/** An error with a stable code for programs beside its sentence for people. */
export class CodedError extends Error {
  /**
   * @param {string} code
   * @param {string} message
   */
  constructor(code, message) {
    super(message);
    this.name = "CodedError";
    this.code = code;
  }
}

/**
 * The code and the sentence of whatever was thrown.
 * @param {unknown} error
 * @returns {Failure}
 */
export function failureOf(error) {
  const thrown = /** @type {any} */ (error);
  if (thrown?.name === "AbortError") return { code: "aborted", message: "it was cancelled" };
  const code = typeof thrown?.code === "string" ? thrown.code : "unexpected";
  return { code, message: String(thrown?.message ?? error) };
}

/** What the code, the driver or the browser says of these is for the console. @type {Record<string, string>} */
const CRASHES_IN_WORDS = {
  panic: "a fault in its own program",
  device_failed: "the GPU stopped computing",
  crashed: "the browser could not run it, or ended it",
};

/** Whether a failure is the end of its engine, so that another has to be started. @param {string} code */
export const isCrash = (code) => code in CRASHES_IN_WORDS;

/**
 * What went wrong, for people: a crash in plain words, anything else as it says itself. The raw text
 * of a crash is put into the console.
 * @param {unknown} error
 */
export function inWords(error) {
  const { code, message } = failureOf(error);
  if (!isCrash(code)) return message;
  console.warn(`${code}: ${message}`);
  return CRASHES_IN_WORDS[code];
}

/**
 * A message as a sentence: it begins large, unless with the name of a file or a tensor, and ends
 * with a stop.
 * @param {string} message
 */
export function sentence(message) {
  const text = /^[a-z]+[ ,:]/.test(message) ? message.charAt(0).toUpperCase() + message.slice(1) : message;
  return /[.!?…]$/.test(text) ? text : `${text}.`;
}

/**
 * Reads f32 bytes as numbers: a view where the bytes are aligned, else a copy.
 * @param {Uint8Array} bytes
 * @returns {Float32Array}
 */
export function f32(bytes) {
  if (bytes.byteLength % 4 !== 0) throw new RangeError(`${bytes.byteLength} bytes are no whole number of 32-bit floats`);
  const aligned = bytes.byteOffset % 4 === 0 ? bytes : bytes.slice();
  return new Float32Array(aligned.buffer, aligned.byteOffset, aligned.byteLength / 4);
}

/**
 * The bytes of numbers, without a copy.
 * @param {Float32Array} values
 * @returns {Uint8Array}
 */
export function bytesOf(values) {
  return new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
}

/**
 * The one event of a kind among an answer's events.
 * @template {AnyEvent["type"]} T
 * @param {AnyEvent[]} events
 * @param {T} type
 * @returns {Extract<AnyEvent, {type:T}>}
 */
export function only(events, type) {
  const event = events.find((candidate) => candidate.type === type);
  if (!event) throw new CodedError("unexpected_answer", `the engine gave no "${type}"`);
  return /** @type {any} */ (event);
}

/**
 * The buffers of a message that may be handed over instead of copied: those that a byte array
 * covers wholly.
 * @param {AnyEvent[]} events
 * @returns {ArrayBuffer[]}
 */
export function buffersOf(events) {
  /** @type {Set<ArrayBuffer>} */
  const buffers = new Set();
  for (const event of events) {
    for (const value of Object.values(event)) {
      if (value instanceof Uint8Array && value.buffer instanceof ArrayBuffer && value.byteLength === value.buffer.byteLength) {
        buffers.add(value.buffer);
      }
    }
  }
  return [...buffers];
}
