import { describe, expect, test } from 'vitest';
import { imageLink } from '../../src/providers/azure/image-events.ts';

describe('the link that an upstream gives', () => {
  test.each([
    'https://example.blob.core.windows.net/private/1.png?se=2026-01-01T00%3A00%3A00Z&sig=a%2Fb%2B%3D',
    'http://127.0.0.1:8080/a.png',
    'HTTPS://A.example/b',
    'https://[2001:db8::1]/a',
    'https://例え.example/絵.png',
  ])('is handed on as it came: %s', (link) => {
    expect(imageLink(link)).toBe(link);
    expect(imageLink(` ${link}\r\n`)).toBe(link);
  });

  test.each([undefined, null, '', ' \n', 5, {}, []])('is none when its member holds %j', (member) => {
    expect(imageLink(member)).toBeUndefined();
  });

  test.each([
    'javascript:alert(1)',
    'JavaScript://https://a.example/%0aalert(1)',
    'java\nscript:alert(1)',
    'file:///etc/passwd',
    'data:image/png;base64,iVBORw0KGgoAAAAN',
    'blob:https://a.example/1',
    'ftp://a.example/b.png',
    'vbscript:x',
    '//a.example/b.png',
    '/b.png',
    'b.png',
    'a.example/b.png',
    'https:a.example/b.png',
    'https:\\\\a.example\\b.png',
    'https://',
    'https://a.example:99999/b.png',
    'https://user:password@a.example/b.png',
    'https://good.example@a.example/b.png',
    'https://a.example/b c.png',
    'https://a.example/b\u0000.png',
    'https://a.example/\u0085b.png',
    'https://a.example/b\n.png',
    'https://a.example/b.png\njavascript:alert(1)',
  ])('is refused: %j', (link) => {
    expect(() => imageLink(link)).toThrow(
      expect.objectContaining({ kind: 'upstream_invalid_response', outcome: 'unknown' }),
    );
  });
});
