// The last run, kept in this browser's IndexedDB; and which tab may write it, by a Web Lock.

import { CodedError } from "./protocol.js";

/** @typedef {import("./protocol.js").SavedRun} SavedRun */
/** @typedef {{trainImages:Uint8Array, trainLabels:Uint8Array, testImages:Uint8Array, testLabels:Uint8Array}} IdxFiles */

const DATABASE = "glassbox";
const STORE = "run";
const LOCK = "glassbox-run";
/** Files of the visitor's own above this are not kept for the next visit. */
const OWN_LIMIT_BYTES = 256 * 1024 * 1024;

/**
 * What storing failed of, as a code and a sentence.
 * @param {unknown} error
 */
export function storageFailure(error) {
  if (/** @type {any} */ (error)?.name === "QuotaExceededError") {
    return new CodedError("storage_full", "This browser's storage is full, so the run is not kept for a later visit. Training goes on.");
  }
  return new CodedError("storage_unavailable", "This browser keeps nothing here (a private window, perhaps), so the run is lost when the page closes. Training goes on.");
}

/**
 * @template T
 * @param {IDBRequest<T>} request
 * @returns {Promise<T>}
 */
function answered(request) {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

/** @param {IDBTransaction} transaction */
function completed(transaction) {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve(undefined);
    transaction.onerror = transaction.onabort = () => reject(transaction.error ?? new DOMException("aborted", "AbortError"));
  });
}

export class RunStore {
  #indexedDB;
  #locks;
  /** @type {Promise<IDBDatabase>|null} */
  #opened = null;
  #ours = false;

  /**
   * @param {object} [options]
   * @param {IDBFactory} [options.indexedDB]
   * @param {LockManager} [options.locks]
   */
  constructor({ indexedDB = globalThis.indexedDB, locks = globalThis.navigator?.locks } = {}) {
    this.#indexedDB = indexedDB;
    this.#locks = locks;
  }

  /**
   * Takes the run for this tab, for as long as it lives. False where another tab has it.
   * Where the browser has no locks, the last tab to write wins.
   */
  async claim() {
    if (this.#ours || !this.#locks) return true;
    const locks = this.#locks;
    this.#ours = await new Promise((resolve, reject) => {
      locks
        .request(LOCK, { ifAvailable: true }, (lock) => {
          resolve(lock !== null);
          return lock ? new Promise(() => {}) : undefined; // held until the worker ends
        })
        .catch(reject);
    });
    return this.#ours;
  }

  /** Whether another tab has the run. */
  async elsewhere() {
    if (this.#ours || !this.#locks) return false;
    return await this.#locks.request(LOCK, { ifAvailable: true }, (lock) => lock === null);
  }

  /**
   * @param {SavedRun} saved
   * @param {Uint8Array} bytes
   */
  async save(saved, bytes) {
    const transaction = await this.#begin("readwrite");
    transaction.objectStore(STORE).put(saved, "saved");
    transaction.objectStore(STORE).put(bytes, "checkpoint");
    await completed(transaction);
  }

  /**
   * What is known of the kept run; null where there is none, or where its data is gone.
   * @returns {Promise<SavedRun|null>}
   */
  async peek() {
    const store = (await this.#begin("readonly")).objectStore(STORE);
    const [saved, ownKey] = await Promise.all([answered(store.get("saved")), answered(store.get("ownKey"))]);
    if (!saved || (saved.source?.kind === "own" && saved.source.key !== ownKey)) return null;
    return saved;
  }

  /** @returns {Promise<Uint8Array|null>} */
  async checkpoint() {
    return (await answered((await this.#begin("readonly")).objectStore(STORE).get("checkpoint"))) ?? null;
  }

  /** Drops the kept run. */
  async forget() {
    const transaction = await this.#begin("readwrite");
    transaction.objectStore(STORE).delete("saved");
    transaction.objectStore(STORE).delete("checkpoint");
    await completed(transaction);
  }

  /**
   * Keeps the visitor's own files, so that a run on them can be continued.
   * @param {string} key
   * @param {IdxFiles} files
   */
  async saveOwn(key, files) {
    const bytes = Object.values(files).reduce((sum, file) => sum + file.byteLength, 0);
    if (bytes > OWN_LIMIT_BYTES) throw new DOMException("too large to keep", "QuotaExceededError");
    const transaction = await this.#begin("readwrite");
    transaction.objectStore(STORE).put(files, "own");
    transaction.objectStore(STORE).put(key, "ownKey");
    await completed(transaction);
  }

  /**
   * @param {string} key
   * @returns {Promise<IdxFiles>}
   */
  async own(key) {
    const store = (await this.#begin("readonly")).objectStore(STORE);
    const [files, kept] = await Promise.all([answered(store.get("own")), answered(store.get("ownKey"))]);
    if (!files || kept !== key) throw new CodedError("own_data_gone", "the files that this run was trained on are no longer kept; choose them again");
    return files;
  }

  /** @param {IDBTransactionMode} mode */
  async #begin(mode) {
    if (!this.#opened) {
      this.#opened = this.#open();
      this.#opened.catch(() => (this.#opened = null));
    }
    return (await this.#opened).transaction(STORE, mode);
  }

  async #open() {
    if (!this.#indexedDB) throw new DOMException("no IndexedDB", "InvalidStateError");
    const request = this.#indexedDB.open(DATABASE, 1);
    request.onupgradeneeded = () => request.result.createObjectStore(STORE);
    const database = await answered(request);
    // Another version of the page may want to change the store.
    database.onversionchange = () => {
      database.close();
      this.#opened = null;
    };
    return database;
  }
}
