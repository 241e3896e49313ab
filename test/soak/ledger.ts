/** What one side has sent and the other must get: these frames, byte by byte and in this order, and nothing between. */
export class Ledger {
  #waiting: Buffer[] = [];
  #first = 0;
  /** Bytes of a tunnel whose framing is lost: they follow the frames that wait. */
  #raw: Buffer = Buffer.alloc(0);
  #isRaw = false;
  /** Bytes written so far that count, including those already delivered. */
  sentBytes = 0;
  /** Frames that must not arrive any more, since the one before them was against a limit. */
  #isSealed = false;

  /** A frame goes out whole, or as its beginning when the tunnel ends inside it. */
  sent(bytes: Buffer): void {
    if (this.#isSealed) return;
    this.sentBytes += bytes.length;
    if (this.#isRaw) this.#raw = Buffer.concat([this.#raw, bytes]);
    else this.#waiting.push(bytes);
  }

  /** From here on what is sent is no longer looked at as frames. */
  loseFraming(): void {
    this.#isRaw = true;
  }

  /** Nothing that is sent from here on may arrive. */
  seal(): void {
    this.#isSealed = true;
  }

  get isSealed(): boolean {
    return this.#isSealed;
  }

  /** All frames have arrived, and what comes next are bytes. */
  get isAtRaw(): boolean {
    return this.#isRaw && this.waiting === 0;
  }

  get waiting(): number {
    return this.#waiting.length - this.#first;
  }

  get waitingBytes(): number {
    let bytes = this.#raw.length;
    for (let at = this.#first; at < this.#waiting.length; at += 1) bytes += (this.#waiting[at] as Buffer).length;
    return bytes;
  }

  /** Takes a frame off the list if it is the one that must come next. */
  take(raw: Buffer): boolean {
    const next = this.#waiting[this.#first];
    if (next === undefined || !next.equals(raw)) return false;
    this.#waiting[this.#first] = Buffer.alloc(0);
    this.#first += 1;
    if (this.#first >= 1_000) {
      this.#waiting = this.#waiting.slice(this.#first);
      this.#first = 0;
    }
    return true;
  }

  /** Takes bytes of a tunnel without framing. */
  takeRaw(bytes: Buffer): boolean {
    if (!this.#raw.subarray(0, bytes.length).equals(bytes)) return false;
    this.#raw = this.#raw.subarray(bytes.length);
    return true;
  }

  /** Whether a stream that ended inside a frame ended inside the one that had to come next. */
  beginsWith(rest: Buffer): boolean {
    const next = this.#waiting[this.#first];
    return next !== undefined && next.subarray(0, rest.length).equals(rest);
  }
}
