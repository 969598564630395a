/**
 * A disk in memory that can lose its power: a real small file system whose every effect is noted in a log, so that any state in which a
 * power cut may leave it can be built: what was forced to disk is there, and of the rest any part, torn or not.
 * What it assumes: an fsync of a file keeps its content, an fsync of a folder its entries; a rename is whole or not at all; everything
 * else may be lost or kept on its own, in any combination. After a failed fsync the system has forgotten what it should have written.
 */
import type { FileSystem } from '../../src/node/file-system.js';

interface Inode {
  kind: 'file' | 'folder';
  data: Uint8Array;
  entries: Map<string, number>;
}

type Inodes = Map<number, Inode>;

type Effect =
  | { readonly type: 'write'; readonly inode: number; readonly position: number; readonly bytes: Uint8Array }
  | { readonly type: 'truncate'; readonly inode: number; readonly size: number }
  | {
      readonly type: 'link';
      readonly folder: number;
      readonly name: string;
      readonly inode: number;
      readonly kind: Inode['kind'];
    }
  | { readonly type: 'unlink'; readonly folder: number; readonly name: string }
  | {
      readonly type: 'move';
      readonly from: number;
      readonly name: string;
      readonly folder: number;
      readonly to: string;
      readonly inode: number;
    }
  | { readonly type: 'fsync' | 'fsync failed'; readonly inode: number };

/** What becomes of an effect that was not forced to disk; a number keeps so many bytes of a write, -1 only its length, as zeros. */
export type Fate = 'kept' | 'lost' | number;

export interface MemoryDisk {
  readonly fs: FileSystem;
  readonly log: readonly Effect[];
  /** Handles that are open. */
  readonly open: ReadonlyMap<number, number>;
  /** Notes that the system failed to write out the file behind a handle. */
  forget(handle: number): void;
  /** Effects among the first `length` that a power cut might undo. */
  pending(length: number): readonly Effect[];
  /** The disk after a power cut behind the first `length` effects. */
  afterPowerCut(length: number, fate: (effect: Effect, index: number) => Fate): MemoryDisk;
  /** The disk after it was switched off properly. */
  restarted(): MemoryDisk;
}

export interface DiskOptions {
  /** Bytes that one write takes at most. */
  readonly perWrite?: number;
  readonly inodes?: Inodes;
}

const systemError = (code: string): Error => Object.assign(new Error(code), { code });

export function memoryDisk(options: DiskOptions = {}): MemoryDisk {
  const { perWrite = 1000 } = options;
  const base: Inodes = options.inodes ?? new Map([[0, emptyInode('folder')]]);
  const now = copy(base);
  const log: Effect[] = [];
  const open = new Map<number, number>();
  let lastInode = Math.max(...base.keys());
  let lastHandle = 100;

  function perform(effect: Effect): void {
    log.push(effect);
    apply(now, effect, 'kept');
  }

  function find(path: string): number | null {
    let at = 0;
    for (const name of path.split('/').filter((part) => part !== '')) {
      const inode = now.get(at)!;
      if (inode.kind !== 'folder') throw systemError('ENOTDIR');
      const next = inode.entries.get(name);
      if (next === undefined) return null;
      at = next;
    }
    return at;
  }
  function existing(path: string): number {
    const found = find(path);
    if (found === null) throw systemError('ENOENT');
    return found;
  }
  function place(path: string): { folder: number; name: string } {
    const parts = path.split('/').filter((part) => part !== '');
    const name = parts.pop()!;
    const folder = existing(parts.join('/'));
    if (now.get(folder)!.kind !== 'folder') throw systemError('ENOTDIR');
    return { folder, name };
  }
  function make(path: string, kind: Inode['kind']): number {
    const { folder, name } = place(path);
    perform({ type: 'link', folder, name, inode: ++lastInode, kind });
    return lastInode;
  }
  const inodeOf = (handle: number): number => {
    const inode = open.get(handle);
    if (inode === undefined) throw systemError('EBADF');
    return inode;
  };
  const info = (inode: number) => {
    const { kind, data } = now.get(inode)!;
    return { kind, size: data.length, mode: 0o644 };
  };

  const fs: FileSystem = {
    open: async (path, purpose) => {
      let inode = find(path);
      if (inode !== null && purpose === 'create') throw systemError('EEXIST');
      if (inode === null && (purpose === 'read' || purpose === 'folder')) throw systemError('ENOENT');
      inode ??= make(path, 'file');
      open.set(++lastHandle, inode);
      return lastHandle;
    },
    read: async (handle, into, position) => {
      const part = now.get(inodeOf(handle))!.data.subarray(position, position + into.length);
      into.set(part);
      return part.length;
    },
    write: async (handle, bytes, position) => {
      const taken = bytes.slice(0, perWrite);
      perform({ type: 'write', inode: inodeOf(handle), position, bytes: taken });
      return taken.length;
    },
    truncate: async (handle, size) => perform({ type: 'truncate', inode: inodeOf(handle), size }),
    fsync: async (handle) => perform({ type: 'fsync', inode: inodeOf(handle) }),
    close: async (handle) => {
      inodeOf(handle);
      open.delete(handle);
    },
    fstat: async (handle) => info(inodeOf(handle)),
    stat: async (path) => info(existing(path)),
    lstat: async (path) => info(existing(path)),
    readlink: async () => Promise.reject(systemError('EINVAL')),
    readdir: async (path) => {
      const inode = now.get(existing(path))!;
      if (inode.kind !== 'folder') throw systemError('ENOTDIR');
      return [...inode.entries.keys()];
    },
    mkdir: async (path) => {
      if (find(path) !== null) throw systemError('EEXIST');
      make(path, 'folder');
    },
    rmdir: async (path) => {
      const inode = now.get(existing(path))!;
      if (inode.kind !== 'folder') throw systemError('ENOTDIR');
      if (inode.entries.size > 0) throw systemError('ENOTEMPTY');
      perform({ type: 'unlink', ...place(path) });
    },
    rename: async (from, to) => {
      const inode = existing(from);
      const target = find(to);
      if (target !== null && now.get(target)!.kind === 'folder') {
        if (now.get(inode)!.kind !== 'folder') throw systemError('EISDIR');
        if (now.get(target)!.entries.size > 0) throw systemError('ENOTEMPTY');
      }
      const source = place(from);
      const { folder, name } = place(to);
      perform({ type: 'move', from: source.folder, name: source.name, folder, to: name, inode });
    },
    unlink: async (path) => {
      if (now.get(existing(path))!.kind === 'folder') throw systemError('EISDIR');
      perform({ type: 'unlink', ...place(path) });
    },
    free: async () => 1e9,
  };

  /** For each of the first `length` effects, whether it is on disk for good. */
  function durable(length: number): boolean[] {
    const good = new Array<boolean>(length).fill(false);
    /** Inodes whose next fsync, going backwards, succeeded. */
    const forced = new Map<number, boolean>();
    for (let i = length - 1; i >= 0; i--) {
      const effect = log[i];
      switch (effect.type) {
        case 'fsync':
        case 'fsync failed':
          forced.set(effect.inode, effect.type === 'fsync');
          break;
        case 'write':
        case 'truncate':
          good[i] = forced.get(effect.inode) === true;
          break;
        case 'link':
        case 'unlink':
          good[i] = forced.get(effect.folder) === true;
          break;
        case 'move':
          good[i] = forced.get(effect.folder) === true && forced.get(effect.from) === true;
          break;
        default:
          effect satisfies never;
      }
    }
    return good;
  }
  const isEffect = (effect: Effect) => effect.type !== 'fsync' && effect.type !== 'fsync failed';

  return {
    fs,
    log,
    open,
    forget: (handle) => perform({ type: 'fsync failed', inode: inodeOf(handle) }),
    pending: (length) => {
      const good = durable(length);
      return log.slice(0, length).filter((effect, i) => isEffect(effect) && !good[i]);
    },
    afterPowerCut: (length, fate) => {
      const good = durable(length);
      const inodes = copy(base);
      let index = 0;
      for (let i = 0; i < length; i++) {
        if (isEffect(log[i])) apply(inodes, log[i], good[i] ? 'kept' : fate(log[i], index++));
      }
      return memoryDisk({ perWrite, inodes });
    },
    restarted: () => memoryDisk({ perWrite, inodes: copy(now) }),
  };
}

const emptyInode = (kind: Inode['kind']): Inode => ({ kind, data: new Uint8Array(0), entries: new Map() });

function copy(inodes: Inodes): Inodes {
  return new Map([...inodes].map(([id, { kind, data, entries }]) => [id, { kind, data, entries: new Map(entries) }]));
}

function apply(inodes: Inodes, effect: Effect, fate: Fate): void {
  if (effect.type === 'link' && !inodes.has(effect.inode)) inodes.set(effect.inode, emptyInode(effect.kind));
  if (fate === 'lost') return;
  switch (effect.type) {
    case 'write': {
      const inode = inodes.get(effect.inode)!;
      const bytes =
        typeof fate !== 'number'
          ? effect.bytes
          : fate < 0
            ? new Uint8Array(effect.bytes.length)
            : effect.bytes.subarray(0, fate);
      const data = new Uint8Array(Math.max(inode.data.length, effect.position + bytes.length));
      data.set(inode.data);
      data.set(bytes, effect.position);
      inode.data = data;
      return;
    }
    case 'truncate': {
      const inode = inodes.get(effect.inode)!;
      const data = new Uint8Array(effect.size);
      data.set(inode.data.subarray(0, effect.size));
      inode.data = data;
      return;
    }
    case 'link':
      inodes.get(effect.folder)!.entries.set(effect.name, effect.inode);
      return;
    case 'unlink':
      inodes.get(effect.folder)!.entries.delete(effect.name);
      return;
    case 'move': {
      const from = inodes.get(effect.from)!.entries;
      if (from.get(effect.name) === effect.inode) from.delete(effect.name);
      inodes.get(effect.folder)!.entries.set(effect.to, effect.inode);
      return;
    }
    case 'fsync':
    case 'fsync failed':
      return;
    default:
      effect satisfies never;
  }
}
